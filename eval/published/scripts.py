"""The rule behind ``task_configs/reproduce/``: one short script for each of our policies and published task.

``python -m eval.published.scripts`` writes them anew after the data changed; a test keeps them in step.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from eval.published.numbers import policy_models, published_numbers
from eval.records.cells import cells

FOLDER = Path(str(resources.files("task_configs"))) / "reproduce"
SETTINGS = ("visual_matching", "variant_aggregation")


def scripts() -> dict[str, str]:
    """Text of every script by its path inside the folder."""
    texts = {}
    for policy, models in policy_models().items():
        for cell, config in cells().cells.items():
            settings = [setting for setting in SETTINGS if published_numbers(cell, setting, models)]
            if settings:
                texts[f"{policy}/{cell}.sh"] = _script(policy, cell, config.title, settings)
    return texts


def _script(policy: str, cell: str, title: str, settings: list[str]) -> str:
    more = f"; --setting {settings[1]} for the other published setting" if len(settings) > 1 else ""
    return (
        "#!/usr/bin/env bash\n"
        f"# {title} as published for {policy}, the number beside the published ones. Options go on{more}.\n"
        f'exec simpler-eval reproduce {policy} {cell} "$@"\n'
    )


def write() -> None:
    """Write all scripts, and remove those that no data asks for any more."""
    texts = scripts()
    for path in FOLDER.glob("*/*.sh"):
        if str(path.relative_to(FOLDER)) not in texts:
            path.unlink()
    for name, text in texts.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)


if __name__ == "__main__":
    write()
