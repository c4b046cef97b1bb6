"""Keeps docs/tasks.md, the table of tasks and settings with its images, in step with the data.

    .venv/bin/python tools/tasks_page.py           # the table
    .venv/bin/python tools/tasks_page.py --render  # and the images whose episodes have changed

An image shows the first moment of an episode as the policy sees it; ``docs/images/index.json`` says which episode.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from eval.episode import EpisodeSpec
from eval.plan.listing import SettingInfo, describe_tasks
from eval.plan.suites import make_plan

REPO = Path(__file__).resolve().parents[1]
PAGE, IMAGES = REPO / "docs" / "tasks.md", REPO / "docs" / "images"
BEGIN, END = "<!-- tasks: made by tools/tasks_page.py -->", "<!-- end of tasks -->"
COLUMNS = (("visual_matching",), ("variant_aggregation",), ("prepackaged",), ("alt_urdf", "robot_ablation"))
WIDTH, SHOWN_WIDTH, MOST_BYTES = 320, 120, 25_000


def image_name(task: str, setting: str) -> str:
    """File name of an image."""
    return f"{task}.{setting}.jpg"


def episode_shown(task: str, setting: str) -> EpisodeSpec:
    """The episode of an image: the one in the middle of the plan."""
    plan = make_plan(tasks=[task], setting=setting)
    return plan[len(plan) // 2]


def table(settings: Iterable[SettingInfo]) -> str:
    """The table as Markdown, a row a task."""
    by_task: dict[str, dict[str, SettingInfo]] = {}
    for info in settings:
        by_task.setdefault(info.task, {})[info.setting] = info
    lines = ["| task | " + " | ".join(", ".join(column) for column in COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for task, by_setting in by_task.items():
        cells = [
            "<br>".join(_cell(by_setting[name], len(column) > 1) for name in column if name in by_setting) for column in COLUMNS
        ]
        about = next(iter(by_setting.values())).about
        lines.append(f"| `{task}`<br>{about} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(info: SettingInfo, named: bool) -> str:
    file = f"images/{image_name(info.task, info.setting)}"
    count = "any number, by seed" if info.setting == "prepackaged" else f"{info.episodes} episodes"
    variants = f", {info.variants} variants" if info.variants > 1 else ""
    name = f"{info.setting}: " if named else ""
    return f'<img src="{file}" width="{SHOWN_WIDTH}" alt="{info.setting}"><br>{name}{count}{variants}'


def with_table(page: str, new: str) -> str:
    """The page with its table replaced."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{new}\n{END}{rest.split(END)[1]}"


def render(folder: Path, assets: str | None, only: str = "*", again: bool = False) -> list[str]:
    """Render the images of the settings that match, unless they show the right episode; names of those rendered."""
    from eval.assets.resolver import Assets
    from eval.parity.recordings.comparison_images import small_jpeg
    from eval.sim.world import World

    folder.mkdir(parents=True, exist_ok=True)
    index_file = folder / "index.json"
    index = json.loads(index_file.read_text()) if index_file.exists() else {}
    files, rendered = Assets.from_option(assets), []
    for info in describe_tasks():
        name, spec = image_name(info.task, info.setting), episode_shown(info.task, info.setting)
        if not fnmatch(name, only) or (index.get(name) == spec.id and (folder / name).is_file() and not again):
            continue
        world = World(files)
        observation, _ = world.reset(options={"spec": spec})
        small = (small_jpeg(observation["image"], WIDTH, quality) for quality in range(80, 30, -5))
        (folder / name).write_bytes(next(jpeg for jpeg in small if len(jpeg) <= MOST_BYTES))
        world.close()
        index[name] = spec.id
        index_file.write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")
        rendered.append(name)
    return rendered


def main() -> None:
    """Bring page and images up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--render", action="store_true", help="render images, too")
    parser.add_argument("--assets", help="as for simpler-eval run")
    parser.add_argument("--only", default="*", help="pattern of image names, such as 'widowx_*'")
    parser.add_argument("--again", action="store_true", help="render images that are up to date once more")
    options = parser.parse_args()
    if options.render:
        print(*render(IMAGES, options.assets, options.only, options.again), sep="\n")
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), table(describe_tasks())), encoding="utf-8")


if __name__ == "__main__":
    main()
