"""Where source, goal and fixtures of a put-on episode start (spec tasks 6)."""

from __future__ import annotations

from eval.simpler_api.drawn import Drawn, placed, start_height
from eval.simpler_api.options import ResetOptions
from eval.simpler_api.seeds import fresh
from task_configs import PutOnTask, Setup


def draw_put_on(task: PutOnTask, setup: Setup, seed: int, options: ResetOptions) -> Drawn:
    """Source and goal of a put-on episode; the id is drawn by the seed unless given. Fixtures stand where they stand."""
    drawn_id = int(fresh(seed).randint(task.placements))
    given_id = options.obj_init_options.episode_id
    (source_xy, source_quat), (goal_xy, goal_quat) = task.placement(drawn_id if given_id is None else given_id)
    z, models = start_height(options), task.source_and_goal(setup)
    movable = (
        placed(models.object_table, models.source, "source", source_xy, z, source_quat),
        placed(models.object_table, models.goal, "goal", goal_xy, z, goal_quat),
    )
    fixed = tuple(placed(task.object_table, f.model, "fixture", f.xy, f.z, (1, 0, 0, 0)) for f in task.fixtures)
    return Drawn((*movable, *fixed), setup, task.instruction, fresh(seed))
