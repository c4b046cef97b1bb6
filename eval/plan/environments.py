"""Tasks by the original's environment ids, as its users write them: ``GraspSingleOpenedCokeCanInScene-v0``."""

from __future__ import annotations

import difflib
import re

from eval.errors import UserError
from eval.simpler_api.from_reset import env_ids, task_of_env
from eval.simpler_api.reset_args import environment_of
from eval.tasks.loading import load_task
from task_configs.schema.tasks import Part


def is_environment(text: str) -> bool:
    """Whether a text is written like an environment id, and not like the name or the file of a task."""
    return re.fullmatch(r"[A-Z]\w*-v\d+", text) is not None


def refuse_misspelt(text: str) -> None:
    """Raises UserError if an environment id is what was probably meant: with other capitals, or without its version."""
    ids = {env_id.lower().rpartition("-v")[0]: env_id for env_id in env_ids()}
    near = difflib.get_close_matches(re.sub(r"-v\d+$", "", text.lower()), ids, n=1, cutoff=0.8)
    if near:
        raise UserError(f'No task "{text}". Did you mean "{ids[near[0]]}"?')


def environment_part(env_id: str, setting: str) -> Part:
    """The variants of a setting that the original plays in this environment.

    Raises UserError for an id that is not built, or that has no part in the setting.
    """
    task = task_of_env(env_id)
    settings = load_task(task).settings
    names = _played_in(env_id, task, setting) if setting in settings else []
    if names:
        return Part(task=task, setting=setting, variants=tuple(names))
    others = [other for other in settings if _played_in(env_id, task, other)]
    hint = f"give --setting {' or '.join(others)}" if others else f"for the task itself give --task {task}"
    raise UserError(f"{env_id} plays no episode of {task} in the setting {setting}; {hint}.")


def _played_in(env_id: str, task: str, setting: str) -> list[str]:
    """Names of variants."""
    variants = load_task(task).variants(setting)
    environments = {variant.name: environment_of(task, setting, variant.setup) for variant in variants}
    return [name for name, environment in environments.items() if environment is not None and environment.env_id == env_id]
