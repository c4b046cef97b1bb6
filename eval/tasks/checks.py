"""What a task file says beyond its types: names that the tables must know, words that an instruction may hold, and sweeps whose
episodes are all different. Everything that would have no effect is refused.
"""

from __future__ import annotations

import string
from collections.abc import Collection
from pathlib import Path

from eval.errors import UserError, did_you_mean
from eval.tasks.base import TaskBase
from eval.tasks.reset_options import ResetOptions
from task_configs.schema.tables import light_families, lights, object_tables, objects, robot_places, robots, scenes
from task_configs.schema.tasks import ALL_VARIANTS, Episodes, Overrides, Setting, Setup, rotation_of

NAMES = ("orientation", "distractors", "object_set", "drawer", "station")
"""Fields of a setup whose values are names that only some families know."""
OWN = frozenset({*NAMES, "targets", "target_density", "no_distractor", "joint_friction", "place_choices", "urdf_choices"})
"""Fields of a setup that not all families understand."""
SAMPLED_WITH = {"place_choices": frozenset({"overlay", "robot_xy", "robot_quat"}), "urdf_choices": frozenset({"urdf_version"})}
"""Field of a setup -> fields that are sampled with it, whatever else is said of them."""
PLACED = {"robot_places": SAMPLED_WITH["place_choices"], "robot_x": frozenset({"robot_xy"})}
"""Field of the episodes -> fields of a setup that it decides."""
SEEDS_TRIED = 20
"""Of a setting of seeded random scenes, to see whether anything is random in it."""


def check_task(task: TaskBase, path: Path) -> None:
    """Raise UserError, naming the file and the place, for the first thing in a task that cannot be meant."""
    if task.lights not in light_families():
        raise UserError(f'{path}: lights: no family "{task.lights}" of lights.{did_you_mean(task.lights, light_families())}')
    for field, table in task.object_tables.items():
        if table not in object_tables():
            raise UserError(f'{path}: {field}: no table "{table}".{did_you_mean(table, object_tables())}')
    for table, model in task.models:
        _known(model, objects(table), f"{path}: object")
    for name in task.hidden:
        _known(name, {model for _, model in task.models}, f"{path}: hidden")
    for field, words in task.placeholders.items():
        _check_instruction(getattr(task, field), words, f"{path}: {field}")
    _check_setup(task, task.setup, f"{path}: setup")
    for env_id, choice in task.envs.items():
        _check_setup(task, choice.applied_to(task.setup), f"{path}: envs.{env_id}")
    for name, setting in task.settings.items():
        _check_setting(task, name, setting, f"{path}: settings.{name}")


def check_seeds(task: TaskBase, path: Path) -> None:
    """Raise UserError for seeded random scenes in which nothing is random."""
    for name, setting in task.settings.items():
        if setting.episodes.seeds in (None, 1):
            continue
        for variant in task.variants(name):
            area = robots()[variant.setup.robot].base_xy
            if variant.setup.robot_xy is None and area.low != area.high:
                continue
            starts = (task.sample(variant.setup, seed, ResetOptions()) for seed in range(SEEDS_TRIED))
            if len({(start.objects, start.setup.model_dump_json(), start.cabinet) for start in starts}) == 1:
                raise UserError(
                    f"{path}: settings.{name}.episodes.seeds: nothing of {variant.name} is random, so all episodes are the "
                    "same; write seeds: 1, and --repeat for a policy that samples."
                )


def _check_setup(task: TaskBase, setup: Setup, place: str) -> None:
    _known(setup.robot, robots(), f"{place}.robot")
    _known(setup.scene, scenes(), f"{place}.scene")
    _known(setup.lighting, lights(task.lights), f"{place}.lighting")
    _known(setup.view, robots()[setup.robot].views, f"{place}.view")
    for name in setup.place_choices:
        _known(name, robot_places(), f"{place}.place_choices")
    for key in NAMES:
        name, names = getattr(setup, key), task.known_names.get(key, ())
        if name is not None and key in task.own_fields:
            _known(name, names, f"{place}.{key}")
        elif name is None and key in task.required:
            raise UserError(f"{place}.{key}: is missing; add it.{did_you_mean('', names)}")
    _refuse_unused(task, setup, place)
    doubled = set(task.target_choices(setup)) & set(task.distractors(setup))
    if doubled:
        raise UserError(f"{place}.distractors: {', '.join(sorted(doubled))} is the target, too; choose another set.")
    _check_photo(setup.overlay, f"{place}.overlay")
    robot = robots()[setup.robot]
    control, physics = setup.control_freq or robot.control_freq, setup.sim_freq or robot.sim_freq
    if physics % control:
        raise UserError(f"{place}.sim_freq: {physics} Hz is no multiple of the control's {control} Hz.")


def _check_photo(photo: str | None, place: str) -> None:
    """Whether a pack has it shows when the plan is played with one; what is no place in a pack shows here."""
    if photo is not None and (not photo or Path(photo).is_absolute() or ".." in Path(photo).parts):
        raise UserError(f'{place}: "{photo}" is in no asset pack; name the photo relative to the data folder of its pack.')


def _refuse_unused(task: TaskBase, given: Overrides, place: str) -> None:
    """Raise UserError for a field that the family does not look at."""
    for key in sorted(given.model_fields_set & OWN - task.own_fields):
        if getattr(given, key) != Overrides.model_fields[key].default:
            raise UserError(f"{place}.{key}: has no effect in the family {task.family}; leave it out.")


def _check_setting(task: TaskBase, name: str, setting: Setting, place: str) -> None:
    for place_name in setting.episodes.robot_places:
        _known(place_name, robot_places(), f"{place}.episodes.robot_places")
    _check_episodes(task, setting.episodes, f"{place}.episodes")
    variants = task.variants(name)
    for variant in variants:
        _check_setup(task, variant.setup, f"{place} ({variant.name})")
    _refuse_shadowed(setting, variants[0].setup, place)
    names: set[str] = set()
    worlds: dict[str, str] = {}
    for variant in variants:
        if variant.name in names:
            raise UserError(
                f'{place}: two variants are called "{variant.name}"; leave the "/" out of the names of the choices.'
            )
        if variant.name == ALL_VARIANTS:
            raise UserError(
                f'{place}: a variant is called "{ALL_VARIANTS}", as tables call their total; give its choice another name.'
            )
        names.add(variant.name)
        same = worlds.setdefault(_world(task, variant.setup), variant.name)
        if same != variant.name:
            raise UserError(f"{place}: {same} and {variant.name} are the same; their episodes would count twice.")


def _check_episodes(task: TaskBase, episodes: Episodes, place: str) -> None:
    others = "seeds, or places of the robot (robot_x and robot_y, or robot_places)"
    if episodes.x is not None and not task.has_grid:
        ways = f"ids (there are {task.placements}), {others}" if task.placements else others
        raise UserError(f"{place}: x and y have no effect in the family {task.family}; give {ways}.")
    if episodes.ids is not None and not task.placements:
        ways = f"x and y, {others}" if task.has_grid else others
        raise UserError(f"{place}: ids has no effect in the family {task.family}; give {ways}.")
    if episodes.ids is not None and episodes.ids > task.placements:
        raise UserError(
            f"{place}.ids: is {episodes.ids}, but there are {task.placements} different placements; write at most that many."
        )


def _refuse_shadowed(setting: Setting, setup: Setup, place: str) -> None:
    """Raise UserError if the setting, or an axis of it, says what its episodes or samples decide."""
    deciding = [(f"episodes.{key}", fields) for key, fields in PLACED.items() if getattr(setting.episodes, key)]
    sampling = [(key, fields) for key, fields in SAMPLED_WITH.items() if getattr(setup, key)]
    if deciding and setup.place_choices:
        raise UserError(
            f"{place}: {deciding[0][0]} has no effect, as place_choices samples the robot's place; keep one of them."
        )
    layers = [("setup", setting.setup)]
    layers += [
        (f'axes.{number}."{label}"', choice) for number, axis in enumerate(setting.axes) for label, choice in axis.items()
    ]
    for where, choice in layers:
        for what, fields in (*deciding, *sampling):
            for key in sorted(fields & choice.model_fields_set):
                raise UserError(f"{place}.{where}.{key}: has no effect, as {what} decides it; keep one of them.")


def _world(task: TaskBase, setup: Setup) -> str:
    """What a world sees of a setup, as far as two that differ in it differ at all."""
    robot = robots()[setup.robot]
    filled = {
        "max_steps": setup.max_steps or task.max_steps,
        "control_freq": setup.control_freq or robot.control_freq,
        "sim_freq": setup.sim_freq or robot.sim_freq,
        "robot_quat": rotation_of(setup.robot_quat or robot.base_quat),
        "robot_height": robot.base_height if setup.robot_height is None else setup.robot_height,
        "targets": task.target_choices(setup),
        "env": None,
    }
    return setup.model_copy(update=filled).model_dump_json()


def _check_instruction(text: str, words: Collection[str], place: str) -> None:
    if not text.strip():
        raise UserError(f"{place}: is empty; say what the policy shall do.")
    known = did_you_mean("", [f"{{{word}}}" for word in words]) or " There are no words in braces in this family."
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise UserError(f"{place}: {error} in {text!r}; braces stand for words that are replaced.{known}") from None
    for _, field, form, conversion in parts:
        if field is not None and (field not in words or form or conversion):
            raise UserError(f"{place}: nothing replaces {{{field}}}.{known}")
    if not words and ("{" in text or "}" in text):
        raise UserError(f"{place}: braces stand for words that are replaced.{known}")


def _known(name: str, names: Collection[str], place: str) -> None:
    if name not in names:
        raise UserError(f'{place}: no "{name}" here.{did_you_mean(name, names)}')
