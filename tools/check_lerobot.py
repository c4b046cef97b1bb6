"""Opens recorded datasets with the real ``lerobot`` package and compares every frame with what the policy saw and did.

    python tools/check_lerobot.py --lerobot-python ENV/bin/python [--steps 30]

Plays an episode of each robot with a policy that remembers its observations and actions, recorded both ways, then opens the
datasets in the other interpreter (``pip install 'lerobot[dataset]'``; it conflicts with our own packages). Prints one JSON
object a dataset and exits with 1 if anything but the images of the lossy kind differs, or these by less than 35 dB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

LEAST_PSNR = 35.0
"""dB, of the lossy images."""
TASKS = ("widowx_carrot_on_plate", "google_robot_pick_coke_can")


# ---- in our interpreter ----------------------------------------------------------------------------------------------


def play(folder: Path, record: str, steps: int) -> None:
    """A recorded run in ``folder/run``, and what its policy saw and did in ``folder/truth``: a file an episode."""
    import eval
    from policies.base import Action

    class Remembers:
        """Moves at random, and remembers."""

        needs_image, needs_privileged = True, False

        def reset(self, episodes: Any) -> None:  # noqa: ANN401
            self.rng = np.random.default_rng(0)

        def act(self, observations: Any) -> list[Action]:  # noqa: ANN401
            return [self.one(observation) for observation in observations]

        def one(self, observation: Any) -> Action:  # noqa: ANN401
            command = self.rng.normal(0, 0.02, 7)
            proprio = observation.proprio
            seen.setdefault(observation.episode, []).append({
                "image": observation.image.copy(), "action": command, "task": observation.instruction,
                "tcp": np.concatenate([proprio.tcp_position, proprio.tcp_quaternion]), "opening": proprio.gripper_opening,
            })  # fmt: skip
            return Action(command)

        def describe(self) -> Any:  # noqa: ANN401
            return {"name": "remembers"}

        def close(self) -> None:
            pass

    seen: dict[str, list[dict[str, Any]]] = {}
    plan = [spec for task in TASKS for spec in eval.make_plan(tasks=[task], limit=2, max_steps=steps)]
    eval.run(plan, Remembers(), out=folder / "run", record=record, workers=1)  # type: ignore[arg-type]
    (folder / "truth").mkdir()
    for name, frames in seen.items():
        arrays = {key: np.stack([np.asarray(frame[key]) for frame in frames]) for key in frames[0]}
        np.savez(folder / "truth" / f"{name}.npz", **arrays)  # type: ignore[arg-type]


# ---- in the interpreter that has lerobot -----------------------------------------------------------------------------


def compare(path: Path, truth: Path) -> dict[str, Any]:
    """What the real package makes of a dataset, against the truth."""
    import pyarrow.parquet as pq
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
    from lerobot.utils.import_utils import get_safe_default_video_backend

    dataset = LeRobotDataset("local/check", root=path, return_uint8=True)
    rows = pq.read_table(path / "meta/episodes").to_pylist()
    stored = np.stack(pq.read_table(path / "data")["action"].to_numpy())
    (camera,) = dataset.meta.video_keys
    psnr, exact_images, actions, tasks, bits = [], True, True, True, True
    place = 0
    for number, row in enumerate(rows):
        with np.load(truth / f"{row['simpler_eval/id']}.npz") as known:
            assert row["length"] == len(known["action"])
            for step in range(row["length"]):
                item = dataset[place]
                assert (int(item["episode_index"]), int(item["frame_index"])) == (number, step)
                image = item[camera].numpy().transpose(1, 2, 0).astype(float)
                error = float(np.mean((image - known["image"][step]) ** 2))
                exact_images &= error == 0
                psnr.append(10 * np.log10(255**2 / max(error, 1e-9)))
                actions &= bool((item["action"].numpy() == known["action"][step].astype(np.float32)).all())
                bits &= bool((stored[place] == known["action"][step]).all())
                tasks &= item["task"] == str(known["task"][step])
                place += 1
    return {
        "dataset": path.name, "episodes": dataset.num_episodes, "frames": dataset.num_frames, "fps": dataset.fps,
        "images_exact": exact_images, "least_psnr_db": round(min(psnr), 1), "mean_psnr_db": round(float(np.mean(psnr)), 1),
        "actions_as_float32": actions, "stored_actions_to_the_bit": bits, "tasks": tasks, 
        "decoder": get_safe_default_video_backend(),
        "statistics": sorted(dataset.meta.stats or {}),
    }  # fmt: skip


def main() -> int:
    """Both halves; the second one calls this file again."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lerobot-python", type=Path)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("DATASET", "TRUTH"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.compare:
        print(json.dumps(compare(*given.compare)))
        return 0
    if given.lerobot_python is None:
        parser.error("--lerobot-python is needed: an interpreter that has lerobot[dataset].")
    good = True
    for record in ("lerobot", "lerobot-lossless"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            play(folder, record, given.steps)
            for dataset in sorted((folder / "run/dataset").glob("[!.]*")):
                command = [str(given.lerobot_python), __file__, "--compare", str(dataset), str(folder / "truth")]
                child = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
                if child.returncode:
                    print(child.stderr, file=sys.stderr)
                    return 1
                found = json.loads(child.stdout.splitlines()[-1])
                print(json.dumps({"record": record, **found}), flush=True)
                images = found["images_exact"] if record == "lerobot-lossless" else found["least_psnr_db"] >= LEAST_PSNR
                good &= images and all(found[key] for key in ("actions_as_float32", "stored_actions_to_the_bit", "tasks"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
