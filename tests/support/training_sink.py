"""A tracker of trainings that keeps what it is told, beside what ``listening_sink`` keeps."""

from __future__ import annotations

from listening_sink import ListeningSink


class TrainingSink(ListeningSink):
    def __init__(self, subject):
        self._tell("open", subject.id_of("training"), subject.name, subject.config["batch_size"])
