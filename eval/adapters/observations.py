"""Observations that policies are asked about again: gathered from a few short episodes, or read from a folder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from eval.backends.selection import OWN
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.rollout.run import run
from policies.base import Action, EpisodeInfo, Observation, PolicyDescription, Proprio
from policies.registry import load_policy

LIST = "observations.json"
"""In a folder of observations: the episodes; beside it an ``.npz`` each."""
PROPRIO = ("tcp_position", "tcp_quaternion", "gripper_opening", "qpos")


@dataclass(frozen=True)
class ObservedEpisode:
    """What a policy was shown in one episode, step by step."""

    info: EpisodeInfo
    observations: tuple[Observation, ...]


@dataclass
class _Watching:
    """Moves at random, and keeps copies of what it sees."""

    needs_privileged: bool = False
    needs_image: bool = True
    seen: dict[str, list[Observation]] = field(default_factory=dict)
    infos: dict[str, EpisodeInfo] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._mover = load_policy("random")

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        for info in episodes:
            self.infos[info.episode], self.seen[info.episode] = info, []
        self._mover.reset(episodes)

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        for one in observations:
            assert one.image is not None
            image = np.array(one.image)
            image.flags.writeable = False  # as in a run
            kept = Observation(one.episode, one.step, one.robot, one.instruction, image, one.proprio, one.privileged)
            self.seen[one.episode].append(kept)
        return [action for action in self._mover.act(observations) if isinstance(action, Action)]

    def describe(self) -> PolicyDescription:
        return self._mover.describe()

    def close(self) -> None:
        self._mover.close()


def gather(
    plan: Sequence[EpisodeSpec], assets: str | None = None, world: str = OWN, privileged: bool = False
) -> list[ObservedEpisode]:
    """Play a plan with random motions (the same ones every time) and keep what is seen.

    Raises UserError if an episode cannot be played.
    """
    watching = _Watching(needs_privileged=privileged)
    with tempfile.TemporaryDirectory(prefix="simpler-eval-adapter-") as folder:
        data = run(
            plan, watching, out=Path(folder) / "run", assets=assets, world=world, video="none", workers=1, no_actions=True
        )
        lost = next((record.error for record in data.records.values() if record.status == "errored"), None)
    if lost is not None:
        raise UserError(f"An episode that shall be observed was lost: {lost}.")
    return [ObservedEpisode(watching.infos[name], tuple(seen)) for name, seen in sorted(watching.seen.items())]


def save(episodes: Sequence[ObservedEpisode], folder: Path) -> None:
    """Write a folder that :func:`load` reads; what is privileged is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, episode in enumerate(episodes):
        seen = episode.observations
        arrays = {name: np.stack([np.asarray(getattr(one.proprio, name)) for one in seen]) for name in PROPRIO}
        images = np.stack([np.asarray(one.image) for one in seen])
        np.savez_compressed(folder / f"{number:03d}.npz", allow_pickle=False, image=images, **arrays)
        rows.append({"info": asdict(episode.info), "instructions": [one.instruction for one in seen]})
    (folder / LIST).write_text(json.dumps({"episodes": rows}, indent=1), encoding="utf-8")


def load(folder: Path) -> list[ObservedEpisode]:
    """What :func:`save` wrote. Raises UserError if it cannot be read."""
    try:
        rows = json.loads((folder / LIST).read_text(encoding="utf-8"))["episodes"]
        return [_episode(folder / f"{number:03d}.npz", row) for number, row in enumerate(rows)]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise UserError(
            f"The observations in {folder} cannot be read ({text}); give a new folder to gather them anew."
        ) from error


def _episode(file: Path, row: dict[str, object]) -> ObservedEpisode:
    info = EpisodeInfo(**row["info"])  # type: ignore[arg-type]
    instructions = row["instructions"]
    if not isinstance(instructions, list):
        raise ValueError("instructions are no list")
    with np.load(file, allow_pickle=False) as arrays:
        data = {name: arrays[name] for name in ("image", *PROPRIO)}
    seen = []
    for step, instruction in enumerate(instructions):
        felt = {name: data[name][step] for name in PROPRIO}
        proprio = Proprio(felt["tcp_position"], felt["tcp_quaternion"], float(felt["gripper_opening"]), felt["qpos"])
        seen.append(Observation(info.episode, step, info.robot, str(instruction), data["image"][step], proprio))
    return ObservedEpisode(info, tuple(seen))
