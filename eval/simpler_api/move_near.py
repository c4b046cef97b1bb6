"""Where the objects of a move-near episode start to fall (spec tasks 2)."""

from __future__ import annotations

from eval.errors import UserError
from eval.simpler_api.drawn import Drawn, draw_colours, instruction_name, placed, start_height
from eval.simpler_api.options import ResetOptions
from eval.simpler_api.seeds import fresh
from task_configs import MoveNearTask, Setup

ROLES = ("source", "goal", "other")


def draw_move_near(task: MoveNearTask, setup: Setup, seed: int, options: ResetOptions) -> Drawn:
    """Source, target and the third object; the id is drawn by the seed unless given. Raises UserError for another id.

    The objects keep the order of their triplet; without the third one, the source comes first.
    """
    drawn_id = int(fresh(seed).randint(task.placements))
    setup = draw_colours(setup, fresh(seed))
    given_id = options.obj_init_options.episode_id
    episode = drawn_id if given_id is None else given_id
    if episode >= task.placements:
        raise UserError(f"episode_id is {episode}; moving near has {task.placements} episodes, 0 to {task.placements - 1}.")
    number, layout, (source, target) = task.placement(episode)
    chosen = task.objects_of(setup)
    models = chosen.triplets[number]
    order = (source, target) if setup.no_distractor else (0, 1, 2)
    roles = {source: ROLES[0], target: ROLES[1]}
    z = start_height(options)
    found = tuple(
        placed(
            chosen.object_table,
            models[i],
            roles.get(i, ROLES[2]),
            layout[i],
            z,
            task.quats[models[i]],
            task.densities.get(models[i]),
        )
        for i in order
    )
    instruction = task.instruction.format(source=instruction_name(models[source]), target=instruction_name(models[target]))
    return Drawn(found, setup, instruction, fresh(seed), matte_objects=chosen.matte)
