"""Another instruction for an episode: one that the same robot is given elsewhere, and that the same act does not carry out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eval.episode import DRAWERS, EpisodeSpec
from eval.tasks.loading import load_task
from eval.tasks.sampling import instruction_name
from eval.tasks.user_tasks import built_in_tasks

ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "google_robot": ("close top drawer", "pick coke can"),
    "widowx": ("put eggplant into yellow basket", "put carrot on plate", "stack the green block on the yellow block"),
}
"""By robot: instructions of SIMPLER's tasks; the first that is of another family, or else of other objects, is taken."""


def other_instructions(specs: Sequence[EpisodeSpec]) -> dict[tuple[str, str], str]:
    """(episode id, its instruction) -> the other one, for all subtasks of some episodes."""
    return {(spec.id, text): _other(spec, text) for spec in specs for text in (spec.instruction, *spec.later_instructions)}


def _other(spec: EpisodeSpec, text: str) -> str:
    """Another drawer of the same cabinet, another pair of the objects on the table, or another task's.

    In the scene itself where it can be: a policy that listens could do it, and would then fail at what is judged.
    """
    if spec.cabinet is not None and spec.cabinet.drawer in text.split():
        other = DRAWERS[(DRAWERS.index(spec.cabinet.drawer) + 1) % len(DRAWERS)]
        return text.replace(spec.cabinet.drawer, other)
    if spec.rule.family == "move_near":
        names = {item.role: instruction_name(item.model) for item in spec.objects}
        source = names.get("other", names["goal"])
        target = names["goal"] if "other" in names else names["source"]
        form = load_task(spec.task).instruction if spec.task in built_in_tasks() else "move {source} near {target}"
        return form.format(source=source, target=target)
    words = {word for item in spec.objects for word in instruction_name(item.model).split()}
    strange = [t for t in ELSEWHERE[spec.robot_family] if t != text and not words & set(t.split())]
    return strange[0] if strange else next(t for t in ELSEWHERE[spec.robot_family] if t != text)
