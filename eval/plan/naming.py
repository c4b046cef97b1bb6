"""What was probably meant by a name of a task or a suite that there is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path

from eval.errors import UserError
from eval.tasks.user_tasks import ENDINGS
from task_configs.schema.files import is_file, is_folder


def refuse_unmeant(text: str, option: str, other: str, others: Callable[[], Collection[str]]) -> None:
    """Raise UserError for a text that is written as no name of ``option`` (``--task``) can be, with what to write instead.

    ``other`` is the option that ``others`` are names of: a suite given as a task, or the other way round.
    """
    kind = option.removeprefix("--")
    problem = f'No {kind} "{text}".'
    if text in others():
        raise UserError(f"{problem} That is a {other.removeprefix('--')}: {other} {text}")
    if "," in text:
        raise UserError(f"{problem} One name an option: {' '.join(f'{option} {part.strip()}' for part in text.split(','))}")
    if re.search(r"[*?\[]", text):
        raise UserError(f"{problem} {option} takes no patterns; give it several times (`simpler-eval list` shows the names).")
    if is_folder(Path(text)):
        raise UserError(f"{problem} It is a folder; give a {kind}'s name, or the path of its file.")
    if is_file(Path(text)):
        raise UserError(f"{problem} It is a file; the name of a {kind} file ends in {' or '.join(ENDINGS)}.")
    beside = next((text + ending for ending in ENDINGS if is_file(Path(text + ending))), None)
    if beside is not None:
        raise UserError(f"{problem} There is a file of that name; give its path: {option} {beside}")
