"""What is tried with LeRobot: its command, its recordings, and a policy that solves the task."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from environments import HERE, LIMIT, STEPS, TASK, python_of, run


def lerobot_command(venvs: Path, folder: Path, **options: object) -> dict[str, Any]:
    """What ``lerobot-eval`` counts with a policy of theirs of random weights, which are the same every time."""
    binary = Path(python_of(venvs, "lerobot")).with_name("lerobot-eval")
    given = {
        "env.type": "simpler", "env.task": TASK, "env.max_steps": STEPS,
        "policy.type": "act", "policy.device": "cpu", "policy.pretrained_backbone_weights": "null",
        "policy.push_to_hub": "false", "seed": 0,
        "policy.chunk_size": 4, "policy.n_action_steps": 4, "policy.dim_model": 32, "policy.n_heads": 2, "output_dir": "out",
    }  # fmt: skip
    given |= {f"eval.{name}": str(value).lower() for name, value in options.items()}
    folder.mkdir(parents=True)
    run([str(binary), *(f"--{name}={value}" for name, value in given.items())], folder, {"HF_HUB_OFFLINE": "1"})
    told: dict[str, Any] = json.loads((folder / "out" / "eval_info.json").read_text())
    if list(told["per_group"]) != [TASK] or told["overall"]["n_episodes"] != options["n_episodes"]:
        raise RuntimeError(f"it counted {told['overall']}")
    return told


def lerobot_eval(venvs: Path) -> str:
    """Their command, one environment at a time and several, with its videos."""
    many = LIMIT + 1
    with tempfile.TemporaryDirectory() as place:
        for name, (size, processes) in {"one": (1, False), "two": (2, False), "processes": (2, True)}.items():
            folder = Path(place) / name
            lerobot_command(venvs, folder, n_episodes=many, batch_size=size, use_async_envs=processes)
            films = [file for file in (folder / "out").glob("videos/*/*.mp4") if file.stat().st_size]
            if len(films) < many:
                raise RuntimeError(f"{len(films)} videos of {many} episodes ({name})")
    return (
        f"{many} episodes with an ACT policy of random weights, by task in eval_info.json, each with its video; "
        "`--eval.batch_size` 1, 2, and 2 in processes"
    )


def lerobot_recording(venvs: Path) -> str:
    """Their command with recording: whatever the batch, the same episodes."""
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / name for name in ("one", "together", "processes")]
        lerobot_command(venvs, folders[0], n_episodes=1, batch_size=1, recording=True)
        for folder, processes in zip(folders[1:], (False, True), strict=True):
            options = {"n_episodes": LIMIT, "batch_size": LIMIT, "use_async_envs": processes}
            lerobot_command(venvs, folder, recording=True, **options)
        recordings = [str(folder / "out" / "recordings") for folder in folders]
        script = [python_of(venvs, "lerobot"), str(HERE / "lerobot_recordings.py"), *recordings]
        one, together, processes_ = json.loads(run(script, Path(place), {"HF_HUB_OFFLINE": "1"}).splitlines()[-1])
    if [len(found) for found in (one, together, processes_)] != [1, LIMIT, LIMIT]:
        raise RuntimeError("a recording lacks episodes")
    if together != processes_ or not alike(one[0], together[0]) or alike(together[0], together[1]):
        raise RuntimeError("the recorded episodes depend on the batch")
    if any(len(found["states"]) != STEPS for found in (*one, *together)):
        raise RuntimeError("an episode was not recorded as long as it was")
    return (
        f"recorded with `--eval.batch_size={LIMIT}`, in one process and in two: the same states, actions and pictures, "
        "those of the first episode as with batch size 1"
    )


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether these are one episode, but for how a network rounds on another batch size."""
    import numpy as np

    return all(np.allclose(one[name], other[name], atol=1e-4) for name in ("states", "actions"))


def lerobot_oracle(venvs: Path) -> str:
    """Their evaluation loop on what our oracle commanded in a run of ours, once cut off half-way."""
    import numpy as np

    import simpler_eval

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        plan = simpler_eval.make_plan(tasks=TASK)[:3]
        simpler_eval.run(plan, "oracle", out=folder / "ours", workers=1).raise_errors()
        files = [folder / "ours" / "actions" / f"{spec.id}.npy" for spec in plan]
        actions = np.load(files[1])
        np.save(files[1], actions[: len(actions) // 2])
        script = [python_of(venvs, "lerobot"), str(HERE / "lerobot_oracle.py"), TASK, *map(str, files)]
        told = json.loads(run(script, folder, {"HF_HUB_OFFLINE": "1"}).splitlines()[-1])
    first = told["one"]
    if first["successes"] != [True, False, True] or any(way != first for way in told.values()):
        raise RuntimeError(f"it counted {told}")
    return (
        "the oracle's actions of 3 runs here solve the task there, too, and do not when they are cut off; successes and solved "
        "steps are the same one environment at a time, two, and two in processes"
    )
