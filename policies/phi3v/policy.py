"""What both policies share: episodes, the batch, and the way from a camera image to a controller's numbers.

A policy adds its prompt and its images. Nothing here needs torch before a checkpoint is loaded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from eval.errors import UserError
from policies.base import Action, EpisodeInfo, EpisodeResult, Observation, PolicyDescription, RobotName
from policies.phi3v.action_postprocessing import Gripper, controller_command
from policies.phi3v.checkpoint import RANDOM

if TYPE_CHECKING:
    from policies.phi3v.processor import Prompt

LONGEST_INSTRUCTION = 2000
"""Characters; the benchmark's longest has about 60."""


@dataclass(frozen=True)
class PolicyInput:
    """What the model gets in one control step of an episode."""

    prompt: Prompt
    labels: tuple[str, ...]
    """A word or two for each image."""
    trace: bool = False
    """Whether the last image carries a trace."""


@dataclass
class Episode:
    """What is remembered of one episode."""

    info: EpisodeInfo
    instruction: str
    gripper: Gripper = field(init=False)
    over: bool = False
    """Its last action was given: it may be forgotten when the next one begins, also where nobody calls ``end``."""

    def __post_init__(self) -> None:
        self.gripper = Gripper(self.info.robot)


class Phi3VPolicy(ABC):
    """A policy on a Phi-3-vision checkpoint."""

    needs_image = True
    needs_privileged = False
    name: ClassVar[str]
    released: ClassVar[str]
    """Where the trained checkpoint is on the hub."""
    images: ClassVar[int]
    """Images of a prompt."""

    def __init__(
        self,
        checkpoint: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        generation: str = "restricted",
        unnorm_key: str | None = None,
        num_crops: str | int | None = None,
    ) -> None:
        """Load a checkpoint.

        Args:
            checkpoint: folder, ``owner/name[@revision]`` on the hub, or a name of ``RANDOM``.
            device: auto, cpu, cuda or cuda:N.
            dtype: auto (bfloat16 on a GPU, float32 on the CPU), float32, bfloat16 or float16.
            generation: restricted (the likeliest action id) or full (the likeliest id of all).
            unnorm_key: key of the statistics that actions are scaled with, for all robots or as ``robot=KEY``, several with
                commas between; see :func:`policies.phi3v.statistics.read_ranges`.
            num_crops: crops that an image may fill; default: as ``preprocessor_config.json`` says, or 1, as the released
                policies have it, where that is Phi-3-vision's own file (16).

        Raises:
            UserError: no checkpoint is given, or it or an option cannot be used.
        """
        if not checkpoint:
            raise UserError(
                f"Policy {self.name} needs --checkpoint: a folder, {self.released} (8 GB from the Hugging Face hub), "
                "or tiny-random (random weights, to see that everything works)."
            )
        from policies.phi3v.vla import VLA  # torch and transformers: seconds to import

        self.vla = VLA(checkpoint, device, dtype, generation, unnorm_key, num_crops, self.images)
        self._episodes: dict[str, Episode] = {}

    # ---- the contract --------------------------------------------------------------------------------------------

    def check_episodes(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Raise UserError if the checkpoint has no ranges for the robot of one of them."""
        self.vla.ranges.require({info.robot for info in episodes})

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Begin these episodes, as if they had never been played."""
        self.check_episodes(episodes)
        for info in episodes:
            _check_instruction(info.instruction)
        begun = {info.episode for info in episodes}
        self._drop([name for name, episode in self._episodes.items() if episode.over or name in begun])
        for info in episodes:
            self._episodes[info.episode] = Episode(info, info.instruction)
            self._begin(info)

    def end(self, episodes: Sequence[EpisodeInfo], results: Sequence[EpisodeResult]) -> None:
        """Forget these episodes, however they ended."""
        self._drop([info.episode for info in episodes])

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """One action an observation; a changed instruction starts the episode's memory anew."""
        if not observations:
            return []
        episodes = [self._episode(observation) for observation in observations]
        inputs = self._inputs(observations)
        robots: list[RobotName] = [observation.robot for observation in observations]
        predictions = self.vla.predict([each.prompt for each in inputs], robots)
        actions = []
        for observation, episode, given, predicted in zip(observations, episodes, inputs, predictions, strict=True):
            episode.over = observation.step + 1 >= episode.info.max_steps
            notes = {
                "images": list(given.prompt.images),
                "labels": given.labels,
                "trace": given.trace,
                "values": predicted.values,
                "ids": predicted.ids,
                "prompt": given.prompt.text,
            }
            actions.append(Action(controller_command(predicted.values, episode.gripper), notes=notes))
        return actions

    def describe(self) -> PolicyDescription:
        """Weights, arithmetic and generation rule; checkpoint, device and counters are details."""
        return self.vla.describe(self.name).model_copy(update={"remarks": tuple(self._remarks())})

    def close(self) -> None:
        """Give the model's memory back."""
        self.vla.close()
        self._drop(list(self._episodes))

    # ---- what a policy adds --------------------------------------------------------------------------------------

    @abstractmethod
    def _inputs(self, observations: Sequence[Observation]) -> list[PolicyInput]:
        """Prompt and images for every observation."""

    def _remarks(self) -> list[str]:
        """What makes its numbers another thing than a reader of a table expects."""
        remarks = ["RANDOM WEIGHTS"] if self.vla.checkpoint in RANDOM else []
        remarks += ["full vocabulary"] if self.vla.rule == "full" else []
        return remarks + self.vla.remarks

    def _begin(self, info: EpisodeInfo) -> None:  # noqa: B027  a policy may have nothing to do here
        """An episode begins (again)."""

    def _changed(self, episode: str) -> None:  # noqa: B027
        """The instruction changed in mid-episode."""

    def _forget(self, episode: str) -> None:  # noqa: B027
        """An episode is over."""

    def _drop(self, names: Sequence[str]) -> None:
        for name in names:
            if self._episodes.pop(name, None) is not None:
                self._forget(name)

    def _episode(self, observation: Observation) -> Episode:
        episode = self._episodes.get(observation.episode)
        if episode is None:
            raise UserError(f"Episode {observation.episode} was not begun: call reset before act.")
        if observation.instruction != episode.instruction:
            _check_instruction(observation.instruction)
            episode.instruction = observation.instruction
            episode.gripper = Gripper(episode.info.robot)
            self._changed(observation.episode)
        return episode


def _check_instruction(text: str) -> None:
    if not text.strip():
        raise UserError("The instruction is empty; give the model a task in words.")
    if len(text) > LONGEST_INSTRUCTION:
        raise UserError(f"The instruction has {len(text)} characters; at most {LONGEST_INSTRUCTION} are possible.")
