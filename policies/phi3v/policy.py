"""What both policies share: episodes, the batch, and the way from a camera image to a controller's numbers.

A policy adds its prompt and its images. Nothing here needs torch before a checkpoint is loaded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from eval.errors import UserError
from policies.base import Action, EpisodeInfo, EpisodeResult, Exactness, Observation, PolicyDescription, RobotName
from policies.phi3v.action_postprocessing import Gripper, controller_command
from policies.phi3v.checkpoint import RANDOM
from policies.phi3v.options import check_options
from policies.phi3v.threads import on_threads

if TYPE_CHECKING:
    from policies.phi3v.processor import Prompt

Prepared = TypeVar("Prepared")
"""What a policy makes of one camera image before it knows anything else of the batch."""

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


class Phi3VPolicy(ABC, Generic[Prepared]):
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
        inference: str = "auto",
        deterministic: str | bool = False,
        batch: str | int | None = None,
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
            inference: auto (fast on a GPU, else eager), fast or eager (transformers' own model, the reference).
            deterministic: true: an observation gives the same action in whatever batch it is.
            batch: most observations at a time; default: what fits the free memory, or 8 if ``deterministic``.

        Raises:
            UserError: no checkpoint is given, or it or an option cannot be used.
        """
        checkpoint = self._given(checkpoint)
        check_options(device, dtype, generation, unnorm_key, num_crops, inference, deterministic, batch, checkpoint)
        from policies.phi3v.vla import VLA  # torch and transformers: seconds to import

        self.vla = VLA(
            checkpoint, device, dtype, generation, unnorm_key, num_crops, self.images, inference, deterministic, batch
        )
        self._episodes: dict[str, Episode] = {}
        self._prepared: dict[str, tuple[int, Prepared]] = {}

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, Any]) -> None:
        """Raise UserError for arguments that cannot be used, without torch; ``checkpoint`` may be missing."""
        if "checkpoint" in arguments:
            cls._given(arguments["checkpoint"])
        check_options(**arguments)

    @classmethod
    def _given(cls, checkpoint: str | None) -> str:
        """The checkpoint. Raises UserError, which says what it may be, if there is none."""
        if not checkpoint:
            raise UserError(
                f"Policy {cls.name} needs --checkpoint (or the argument checkpoint=...): a folder, {cls.released} (8 GB from "
                "the Hugging Face hub), or tiny-random (random weights, to see that everything works)."
            )
        return checkpoint

    @property
    def preferred_batch(self) -> int:
        """Observations that are worked on at a time; more are cut into such batches."""
        return self.vla.batch

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
        with self.vla.clock.host("images"):
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

    def prepare_observation(self, observation: Observation) -> None:
        """Work on the camera image ahead of the ``act`` that gets this observation; from any thread, and never needed."""
        episode = self._episodes.get(observation.episode)
        if episode is not None and episode.instruction == observation.instruction:  # else its memory begins anew in ``act``
            self._prepared[observation.episode] = observation.step, self._camera_image(observation)

    def exactness(self, observations: Sequence[Observation], batch: int) -> Exactness:
        """Compare the tokens of the fast path with those of the reference, eager and one observation at a time.

        Args:
            observations: in the order of their episodes, which have begun; they are used up as by ``act``.
            batch: observations at a time of the fast path.
        """
        from policies.phi3v.exactness import compare

        prompts = []
        for begin, end in _rounds(observations):
            prompts += [each.prompt for each in self._inputs(observations[begin:end])]
        return compare(self.vla, prompts, batch)

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

    @abstractmethod
    def _camera_image(self, observation: Observation) -> Prepared:
        """What can be done to the camera image before anything else is known."""

    def _camera_images(self, observations: Sequence[Observation]) -> list[Prepared]:
        """:meth:`_camera_image` of every observation, unless ``prepare_observation`` did it."""
        done: list[Prepared | None] = []
        for observation in observations:
            prepared = self._prepared.pop(observation.episode, None)
            done.append(prepared[1] if prepared is not None and prepared[0] == observation.step else None)
        lacking = [observation for observation, image in zip(observations, done, strict=True) if image is None]
        made = iter(on_threads(self._camera_image, lacking))
        return [next(made) if image is None else image for image in done]

    def _remarks(self) -> list[str]:
        """What makes its numbers another thing than a reader of a table expects."""
        remarks = ["RANDOM WEIGHTS"] if self.vla.checkpoint in RANDOM else []
        remarks += ["full vocabulary"] if self.vla.rule == "full" else []
        return remarks + self.vla.remarks

    def _begin(self, info: EpisodeInfo) -> None:
        """An episode begins (again)."""

    def _changed(self, episode: str) -> None:
        """The instruction changed in mid-episode."""

    def _forget(self, episode: str) -> None:
        """An episode is over."""

    def _drop(self, names: Sequence[str]) -> None:
        for name in names:
            self._prepared.pop(name, None)
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


def _rounds(observations: Sequence[Observation]) -> Iterator[tuple[int, int]]:
    """(begin, end) of runs in which no episode comes twice."""
    begin, seen = 0, set[str]()
    for place, observation in enumerate(observations):
        if observation.episode in seen:
            yield begin, place
            begin, seen = place, set()
        seen.add(observation.episode)
    yield begin, len(observations)


def _check_instruction(text: str) -> None:
    if not text.strip():
        raise UserError("The instruction is empty; give the model a task in words.")
    if len(text) > LONGEST_INSTRUCTION:
        raise UserError(f"The instruction has {len(text)} characters; at most {LONGEST_INSTRUCTION} are possible.")
