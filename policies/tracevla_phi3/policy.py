"""The policy ``tracevla_phi3``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from eval.errors import UserError, did_you_mean
from policies.base import EpisodeInfo, Observation, RobotName
from policies.phi3v.policy import Ask, Phi3VPolicy
from policies.tracevla_phi3.prompt import prompt

WINDOWS: Mapping[RobotName, int] = {"google_robot": 15, "widowx": 10}
"""Steps that a trace looks back."""


class TraceVLAPhi3(Phi3VPolicy):
    """Phi-3-vision with visual traces.

    ``checkpoint``, ``device``, ``dtype`` and ``generation``: as for ``openvla_phi3``. ``trace_preset``: released or paper.
    ``tracker``: auto (CoTracker where it is installed and ``tracker_checkpoint`` is there, else optical flow), cotracker or
    lucas_kanade.
    """

    name = "tracevla_phi3"
    released = "furonghuang-lab/tracevla_phi3v"

    def __init__(
        self,
        checkpoint: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        generation: str = "restricted",
        trace_preset: str = "released",
        tracker: str = "auto",
        tracker_checkpoint: str | None = None,
    ) -> None:
        from policies.phi3v.device import choose_device
        from policies.trace import PRESETS, TraceProcessors, make_tracker

        if trace_preset not in PRESETS:
            raise UserError(f'--trace-preset "{trace_preset}" is unknown.{did_you_mean(trace_preset, PRESETS)}')
        path = Path(tracker_checkpoint).expanduser() if tracker_checkpoint else None
        self.preset = trace_preset
        self.tracker = make_tracker(cast(Any, tracker), path, str(choose_device(device)))  # checks the name itself
        self.traces = TraceProcessors(self.tracker, PRESETS[trace_preset])
        super().__init__(checkpoint, device, dtype, generation)

    def _ask(self, observations: Sequence[Observation]) -> list[Ask]:
        from policies.phi3v.processor import Question
        from policies.tracevla_phi3.images import model_pictures

        seen = model_pictures(observations, self.traces)
        return [
            Ask(
                Question(prompt(observation.instruction, trace), [plain, traced]),
                ("model input 1", "model input 2: trace" if trace else "model input 2: no trace"),
                trace,
            )
            for observation, (plain, traced, trace) in zip(observations, seen, strict=True)
        ]

    def _begin(self, info: EpisodeInfo) -> None:
        mixed = hashlib.blake2b(f"{info.seed}:{info.episode}".encode(), digest_size=6)
        self.traces.begin(info.episode, int.from_bytes(mixed.digest(), "big"), WINDOWS[info.robot])

    def _changed(self, episode: str) -> None:
        self.traces.reset(episode)

    def _forget(self, episode: str) -> None:
        self.traces.end(episode)

    def _remarks(self) -> list[str]:
        remarks = super()._remarks()
        if self.tracker.name != "cotracker":
            remarks.append(f"traces by {self.tracker.name}, not CoTracker")
        return remarks + ([f"trace preset {self.preset}"] if self.preset != "released" else [])

    def describe(self) -> Mapping[str, Any]:
        """The same, with the trace preset and the tracker."""
        return {**super().describe(), "trace_preset": self.preset, "tracker": dict(self.tracker.describe())}
