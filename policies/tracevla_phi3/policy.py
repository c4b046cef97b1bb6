"""The policy ``tracevla_phi3``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from policies.base import EpisodeInfo, Observation, PolicyDescription
from policies.phi3v.options import check_options
from policies.phi3v.policy import Phi3VPolicy, PolicyInput
from policies.tracevla_phi3.prompt import model_prompt

if TYPE_CHECKING:
    from policies.tracevla_phi3.images import CameraImages

TRACING = ("trace_preset", "tracker", "tracker_checkpoint")
"""Arguments that say how traces are drawn."""


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
        from policies.trace import PRESETS, TraceProcessors
        from policies.tracevla_phi3.tracing import check_tracker, open_tracker

        checkpoint = self._given(checkpoint)
        check_options(device, dtype, generation, unnorm_key, num_crops, inference, deterministic, batch, checkpoint)
        check_tracker(trace_preset, tracker, tracker_checkpoint)
        from policies.phi3v.device import choose_device  # torch
        from policies.phi3v.inference import choose_inference

        self.preset = trace_preset
        where = choose_device(device)
        how = choose_inference(inference, deterministic, batch, where)
        self.tracker = open_tracker(
            trace_preset, tracker, tracker_checkpoint, str(where), fast=how.fast, fixed_shapes=how.deterministic
        )
        self.traces = TraceProcessors(self.tracker, PRESETS[trace_preset])
        super().__init__(checkpoint, device, dtype, generation, unnorm_key, num_crops, inference, deterministic, batch)

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, Any]) -> None:
        """The same, with the tracker's."""
        from policies.tracevla_phi3.tracing import check_tracker

        super().check_arguments({name: value for name, value in arguments.items() if name not in TRACING})
        check_tracker(*(arguments[name] for name in TRACING))

    def _inputs(self, observations: Sequence[Observation]) -> list[PolicyInput]:
        from policies.tracevla_phi3.images import model_images

        episodes = [observation.episode for observation in observations]
        images = model_images(episodes, self._camera_images(observations), self.traces)
        return [
            PolicyInput(
                model_prompt(observation.instruction, plain, traced if trace else None),
                ("input 1", "input 2: trace" if trace else "input 2: no trace"),
                trace,
            )
            for observation, (plain, traced, trace) in zip(observations, images, strict=True)
        ]

    def _camera_image(self, observation: Observation) -> CameraImages:
        from policies.tracevla_phi3.images import camera_images

        return camera_images(observation, self.traces if self.tracker.one_by_one else None)

    def _begin(self, info: EpisodeInfo) -> None:
        from policies.tracevla_phi3.tracing import begin_trace

        begin_trace(self.traces, info.episode, info.seed, info.robot)

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
