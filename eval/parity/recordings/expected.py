"""Episodes as recorded in the original, and the differences of a world from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.parity.recordings.files import read_recording
from eval.parity.recordings.recorded_images import recorded_policy_image, recorded_spec
from eval.parity.recordings.sequences import sequence_spec
from eval.simpler_api.names import ENVIRONMENT_MAP
from task_configs import robots

FOLDER_OF_PHOTOS = "real_inpainting/"
TRACED = "_rt"


@dataclass
class Expected:
    """One episode: how to begin it, its actions, its outcome; and the differences measured so far."""

    key: str
    payload: str
    actions: NDArray[np.float64]
    advance_before: frozenset[int] = frozenset()
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    texts: Mapping[int, str] = field(default_factory=dict)
    stats: Mapping[str, Any] | None = None
    images: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)
    initial: float = 0.0
    later: float = 0.0
    instructions_wrong: int = 0
    instructions_compared: int = 0
    verdicts_wrong: int = 0
    stats_wrong: int = 0
    image: float = 0.0
    error: str | None = None


def recorded_sequences(folder: Path, key: str, most: int) -> Iterator[tuple[EpisodeSpec, Expected]]:
    """(episode, what is expected) of the first sequences of a key; nothing for recordings of other things."""
    recording = read_recording(folder, key)
    for number, sequence in enumerate(recording.facts.get("sequences", ())[:most]):
        env_id = sequence.get("env_id", recording.facts.get("env_id"))
        kwargs = sequence.get("kwargs") or recording.facts.get("kwargs") or {}
        prefix = f"s{number}/"
        arrays = {name.removeprefix(prefix): a for name, a in recording.arrays.items() if name.startswith(prefix)}
        reset = sequence["reset"]
        names = tuple(reset["actor_names"])
        spec = sequence_spec(sequence, env_id, kwargs)
        payload = _payload(env_id, kwargs, reset["episode_seed"], reset["options"], [item.model for item in spec.objects])
        yield (
            spec,
            Expected(
                key,
                payload,
                arrays["action"],
                frozenset(at for at, call in sequence["calls_before_step"] if call == "advance_to_next_subtask"),
                arrays,
                names,
                {int(at): text for at, text in sequence["instructions"]},
                sequence["final_stats"],
            ),
        )


def raster_keys(images: Path) -> list[str]:
    """Keys rendered by the rasteriser; the others take minutes a frame on a CPU, and are noise."""
    if not (images / "frames").is_dir():
        raise UserError(f"{images} holds no frames/. Give a folder of recorded images.")
    names = sorted(path.name for path in (images / "frames").iterdir() if path.is_dir() and not path.name.endswith(TRACED))
    return [name for name in names if _state(images, name)["renderer"]["shader_dir"] != "rt"]


def _state(images: Path, key: str, frame: str = "f0") -> dict[str, Any]:
    state: dict[str, Any] = json.loads((images / "frames" / key / f"{frame}.json").read_text())
    return state


def recorded_frames(images: Path, key: str) -> Iterator[tuple[EpisodeSpec, Expected]]:
    """The episode of two recorded images: after the reset, and after a few actions."""
    state = _state(images, key)
    requested = state["spec"]
    if "prepackaged" in requested:
        env_id, own = ENVIRONMENT_MAP[requested["prepackaged"]]
        kwargs: dict[str, Any] = {**own, "prepackaged_config": True}
    else:
        env_id = requested["env"]
        kwargs = {**(requested.get("env_kwargs") or {})}
        kwargs |= {
            name: requested[name] for name in ("robot", "scene_name", "sim_freq", "max_episode_steps") if name in requested
        }
        robot = robots()[kwargs.setdefault("robot", "google_robot_static")]
        kwargs |= {"control_mode": robot.control_mode, "control_freq": robot.control_freq}
        if requested.get("overlay"):
            kwargs["rgb_overlay_path"] = FOLDER_OF_PHOTOS + requested["overlay"]
    payload = _payload(env_id, kwargs, state["seed"], state["reset_options"], ())
    actions = np.array(requested["actions"], dtype=np.float64)
    policy_images = {
        step: recorded_policy_image(images, images / "frames" / key / f"{frame}.json")
        for step, frame in ((0, "f0"), (len(actions), "f1"))
    }
    yield recorded_spec(state), Expected(key, payload, actions, images=policy_images)


def _payload(env_id: str, kwargs: Mapping[str, Any], seed: int, options: Mapping[str, Any] | None, names: Sequence[str]) -> str:
    keywords = {name: value for name, value in kwargs.items() if name != "obs_mode"}
    if keywords.get("rgb_overlay_path"):
        keywords["rgb_overlay_path"] = keywords["rgb_overlay_path"].removeprefix("{ASSET_DIR}/")
    about: dict[str, Any] = {"family": "", "objects": list(names), "roles": {}, "drawer": None, "max_steps": 0}
    return json.dumps({"env_id": env_id, "kwargs": keywords, "seed": seed, "options": options or {}, **about})
