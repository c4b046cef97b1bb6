"""A tracker of trainings that keeps what it is told, as ``listening_sink`` does."""

from __future__ import annotations

import listening_sink


class TrainingSink(listening_sink.ListeningSink):
    def __init__(self, subject):
        self._heard = listening_sink._heard
        self._tell("open", subject.id_of("training"), subject.name, subject.config["batch_size"])
