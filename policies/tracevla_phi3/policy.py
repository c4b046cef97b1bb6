"""The policy ``tracevla_phi3``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from eval.errors import UserError, did_you_mean
from policies.base import EpisodeInfo, Observation, PolicyDescription, RobotName
from policies.phi3v.policy import Phi3VPolicy, PolicyInput
from policies.trace.trackers import TrackerName
from policies.tracevla_phi3.prompt import make_prompt

if TYPE_CHECKING:
    from policies.tracevla_phi3.images import CameraImages

WINDOWS: Mapping[RobotName, int] = {"google_robot": 15, "widowx": 10}
"""Steps that a trace looks back."""


class TraceVLAPhi3(Phi3VPolicy["CameraImages"]):
    """Phi-3-vision with visual traces."""

    name = "tracevla_phi3"
    released = "furonghuang-lab/tracevla_phi3v"
    images = 2

    def __init__(
        self,
        checkpoint: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        generation: str = "restricted",
        unnorm_key: str | None = None,
        num_crops: str | int | None = None,
        trace_preset: str = "released",
        tracker: str = "auto",
        tracker_checkpoint: str | None = None,
        inference: str = "auto",
        deterministic: str | bool = False,
        batch: str | int | None = None,
    ) -> None:
        """Load a checkpoint.

        Args:
            checkpoint, device, dtype, generation, unnorm_key, num_crops, inference, deterministic, batch: as of
                :class:`policies.phi3v.policy.Phi3VPolicy`.
            trace_preset: released or paper.
            tracker: auto (CoTracker where ``tracker_checkpoint`` is given, else optical flow), cotracker or
                lucas_kanade.
            tracker_checkpoint: CoTracker's file ``scaled_offline.pth``; it is used, or refused.

        Raises:
            UserError: the checkpoint or an option cannot be used.
        """
        from policies.phi3v.device import choose_device
        from policies.phi3v.inference import choose_inference
        from policies.trace import PRESETS, TraceProcessors, make_tracker

        if trace_preset not in PRESETS:
            raise UserError(f'--trace-preset "{trace_preset}" is unknown.{did_you_mean(trace_preset, PRESETS)}')
        if tracker_checkpoint is not None and not tracker_checkpoint.strip():
            raise UserError("--tracker-checkpoint is empty; give CoTracker's file scaled_offline.pth, or leave it out.")
        path = None if tracker_checkpoint is None else Path(tracker_checkpoint).expanduser()
        self.preset = trace_preset
        where = choose_device(device)
        how = choose_inference(inference, deterministic, batch, where)
        self.tracker = make_tracker(
            cast(TrackerName, tracker), path, str(where), fast=how.fast, fixed_shapes=how.deterministic
        )  # checks the name itself
        self.traces = TraceProcessors(self.tracker, PRESETS[trace_preset])
        super().__init__(checkpoint, device, dtype, generation, unnorm_key, num_crops, inference, deterministic, batch)

    def _inputs(self, observations: Sequence[Observation]) -> list[PolicyInput]:
        from policies.phi3v.processor import Prompt
        from policies.tracevla_phi3.images import model_images

        episodes = [observation.episode for observation in observations]
        images = model_images(episodes, self._camera_images(observations), self.traces)
        return [
            PolicyInput(
                Prompt(make_prompt(observation.instruction, trace), [plain, traced]),
                ("input 1", "input 2: trace" if trace else "input 2: no trace"),
                trace,
            )
            for observation, (plain, traced, trace) in zip(observations, images, strict=True)
        ]

    def _camera_image(self, observation: Observation) -> CameraImages:
        from policies.tracevla_phi3.images import camera_images

        return camera_images(observation, self.traces if self.tracker.one_by_one else None)

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

    def describe(self) -> PolicyDescription:
        """The same, with the trace preset and the tracker."""
        model, tracker = super().describe(), self.tracker.describe()
        return model.model_copy(
            update={
                "tracker": tracker.name,
                "tracker_weights": tracker.weights,
                "preset": self.preset,
                "details": {**model.details, "tracker": tracker.details},
            }
        )
