"""Keeps the README's table of tasks and settings, and its pictures, in step with the data.

    .venv/bin/python tools/readme_tasks.py                         # the table
    .venv/bin/python tools/readme_tasks.py --draw  # and the pictures whose episodes have changed

Pictures show the first moment of an episode as the policy sees it; ``docs/pictures/index.json`` says which episode.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from eval.episode import EpisodeSpec
from eval.plan.suites import SettingInfo, describe_tasks, make_plan

REPO = Path(__file__).resolve().parents[1]
README, PICTURES = REPO / "README.md", REPO / "docs" / "pictures"
BEGIN, END = "<!-- tasks: made by tools/readme_tasks.py -->", "<!-- end of tasks -->"
COLUMNS = (("visual_matching",), ("variant_aggregation",), ("prepackaged",), ("alt_urdf", "robot_ablation"))
WIDTH, SHOWN_WIDTH, MOST_BYTES = 320, 120, 25_000


def picture_name(task: str, setting: str) -> str:
    """File name of a picture."""
    return f"{task}.{setting}.jpg"


def episode_shown(task: str, setting: str) -> EpisodeSpec:
    """The episode of a picture: the one in the middle of the plan."""
    plan = make_plan(tasks=[task], setting=setting)
    return plan[len(plan) // 2]


def table(settings: Iterable[SettingInfo]) -> str:
    """The table as Markdown, a row a task."""
    by_task: dict[str, dict[str, SettingInfo]] = {}
    for info in settings:
        by_task.setdefault(info.task, {})[info.setting] = info
    lines = ["| task | " + " | ".join(", ".join(column) for column in COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for task, found in by_task.items():
        cells = ["<br>".join(_cell(found[name], len(column) > 1) for name in column if name in found) for column in COLUMNS]
        about = next(iter(found.values())).about
        lines.append(f"| `{task}`<br>{about} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(info: SettingInfo, named: bool) -> str:
    file = f"docs/pictures/{picture_name(info.task, info.setting)}"
    count = "any number, by seed" if info.setting == "prepackaged" else f"{info.episodes} episodes"
    variants = f", {info.variants} variants" if info.variants > 1 else ""
    name = f"{info.setting}: " if named else ""
    return f'<img src="{file}" width="{SHOWN_WIDTH}" alt="{info.setting}"><br>{name}{count}{variants}'


def with_table(readme: str, new: str) -> str:
    """The README with its table replaced."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{new}\n{END}{rest.split(END)[1]}"


def draw(folder: Path, assets: str | None, only: str = "*", again: bool = False) -> list[str]:
    """Draw the pictures of the settings that match, unless they show the right episode; names of those drawn."""
    from eval.assets.resolver import Assets
    from eval.parity.recordings.pictures import small_jpeg
    from eval.sim.world import World

    folder.mkdir(parents=True, exist_ok=True)
    index_file = folder / "index.json"
    index = json.loads(index_file.read_text()) if index_file.exists() else {}
    files, drawn = Assets.from_option(assets), []
    for info in describe_tasks():
        name, spec = picture_name(info.task, info.setting), episode_shown(info.task, info.setting)
        if not fnmatch(name, only) or (index.get(name) == spec.id and (folder / name).is_file() and not again):
            continue
        world = World(spec, files)
        observation, _ = world.reset()
        small = (small_jpeg(observation["image"], WIDTH, quality) for quality in range(80, 30, -5))
        (folder / name).write_bytes(next(jpeg for jpeg in small if len(jpeg) <= MOST_BYTES))
        world.close()
        index[name] = spec.id
        index_file.write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")
        drawn.append(name)
    return drawn


def main() -> None:
    """Bring README and pictures up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", action="store_true", help="draw pictures, too")
    parser.add_argument("--assets", help="as for simpler-eval run")
    parser.add_argument("--only", default="*", help="pattern of picture names, such as 'widowx_*'")
    parser.add_argument("--again", action="store_true", help="draw pictures that are up to date once more")
    options = parser.parse_args()
    if options.draw:
        print(*draw(PICTURES, options.assets, options.only, options.again), sep="\n")
    README.write_text(with_table(README.read_text(encoding="utf-8"), table(describe_tasks())), encoding="utf-8")


if __name__ == "__main__":
    main()
