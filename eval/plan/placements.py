"""Initial states beside the published ones: ``heldout`` between them, ``train`` elsewhere, disjoint in metres and by seed.

The published grids are small and known, so a policy may know them by heart, and whoever trains in simulation must not train on
what is tested. Every setting therefore has two more sets of initial states, each as long as one likes:

- What the published states of the setting vary (objects, the robot's base) stands elsewhere, within the box that the published
  states of the same robot and scene span. What they do not vary (a basket, the robot at the table) stays, as do rotations.
- State number n begins from a published one, all of which take turns, and moves what varies at least by a *clearance* away from
  every published position of the family, and by at most half a spacing from its own.
- The two sets share the surface in bands across it, with a gap between the bands.
- Every state has a seed of its own, from a range that nothing published uses.

State number n is the same however many are asked for. :func:`least_distance` states how far the sets are apart at least.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from eval.episode import EpisodeSpec, PlacementSet, Vec2
from eval.errors import UserError
from eval.plan.axes import MOST_EPISODES, PlannedEpisode, built
from eval.plan.layouts import layout_of
from eval.plan.positions import Room, Thing, states
from eval.plan.published_states import Published, kin, placing, published_episodes, published_of, spacing
from eval.plan.sampling import halving
from eval.tasks.loading import load_task
from eval.tasks.user_tasks import built_in_tasks
from task_configs.schema.tasks import Variant

FIRST_SEEDS: Mapping[PlacementSet, int] = {"heldout": 2_000_000_000, "train": 3_000_000_000}
"""Seed of state 0. The sweeps have one seed for all their episodes, 40194941; the scenes of ``prepackaged`` begin at 0."""
MOST_GAP = 0.01
"""m, between the two sets, and from published positions that seeds sampled."""
MOST_CLEARANCE, BASE_CLEARANCE = 0.03, 0.02
"""m, of objects and of the robot's base from the published positions of a grid or a table of placements."""
SHARE = 0.4
"""Of the spacing of the published positions: no gap and no clearance is wider."""
REACH, BASE_REACH = 0.06, 0.04
"""m along an axis, how far an object and the robot's base are moved, where there is room; a photo shows the cabinet from the
published place."""
FARTHER = (1.0, 1.5, 2.25)
"""Times these reaches, until there is room."""
SEPARATION = 0.85
"""Of the least distance between two objects of the setting's published states."""
MOST_CROWDED = 1000
"""States in a row whose objects stand too near to each other, before it is said that there is no room."""
ROBOT = "robot"
"""What the base is called beside the objects' roles."""


@dataclass(frozen=True)
class _Ground:
    """Where the things of a variant may stand."""

    task: str
    setting: str
    starts: tuple[EpisodeSpec, ...]
    """The published episodes of the variant."""
    gaps: Mapping[str, float]
    """m between the sets, of what varies: roles of objects, and ``ROBOT``."""
    reaches: Mapping[str, Vec2]
    """m along x and y."""
    rooms: Mapping[str, Room]
    separation: float
    """m between two objects."""
    known: dict[tuple[PlacementSet, int], _States] = field(default_factory=dict, repr=False)
    """Sets that were begun, near each start."""

    @property
    def least_distance(self) -> float:
        """m; where the base moves, objects that seeds sampled may stand anywhere."""
        return self.gaps.get(ROBOT, min(self.gaps.values()))

    def places(self, placements: PlacementSet, start: int, turn: int) -> Mapping[str, Vec2]:
        """World position [m] of everything that varies, in the state number ``turn`` of those near a published one.

        Raises UserError where there is no room for it.
        """
        near = self.known.setdefault((placements, start), _States([], self._states(placements, start)))
        near.found.extend(itertools.islice(near.further, max(0, turn + 1 - len(near.found))))
        if len(near.found) > turn:
            return near.found[turn]
        spec = self.starts[start]
        raise UserError(
            f"{self.task}, {self.setting}: the published episodes leave no room near number {spec.index} of {spec.variant} for "
            f"--placements {placements}; place them farther apart, or play --placements published."
        )

    def _states(self, placements: PlacementSet, start: int) -> Iterator[Mapping[str, Vec2]]:
        """Those near a published one, each with its objects far enough from each other."""
        layout = layout_of(self.starts[start])
        middles = {ROBOT: layout.robot, **layout.objects}
        for farther in FARTHER:
            things = [
                Thing(middles[thing], (farther * reach[0], farther * reach[1]), self.rooms[thing], self.gaps[thing])
                for thing, reach in self.reaches.items()
            ]
            found, crowded = False, 0
            for spots in states(things, placements, str(start)):
                places: dict[str, Vec2] = {
                    thing: (float(x), float(y)) for thing, (x, y) in zip(self.reaches, spots, strict=True)
                }
                objects = {**middles, **places}
                del objects[ROBOT]
                if min(_ways(objects.values()), default=math.inf) >= self.separation:
                    found, crowded = True, 0
                    yield places
                elif (crowded := crowded + 1) > MOST_CROWDED:
                    break
            if found:
                return


def placements_of(plan: Iterable[EpisodeSpec]) -> PlacementSet:
    """The one set that all episodes of a plan are of. Raises UserError for a plan of several."""
    sets: dict[PlacementSet, None] = dict.fromkeys(spec.placements for spec in plan)
    if len(sets) > 1:
        raise UserError(
            f"The plan has {' and '.join(sets)} placements; they are no one number, play them as runs of their own."
        )
    return next(iter(sets), "published")


@dataclass
class _States:
    found: list[Mapping[str, Vec2]]
    further: Iterator[Mapping[str, Vec2]]


def least_distance(task_name: str, setting: str) -> float:
    """m, stated: how far an episode of ``heldout`` or ``train`` is at least (:func:`eval.plan.layouts.distance`) from every
    published one of its family, and from every one of the other set of this setting.

    Raises UserError for a setting whose published states are all at one place.
    """
    return min(_ground(task_name, setting, variant).least_distance for variant in load_task(task_name).variants(setting))


def placed_episodes(
    task_name: str, setting: str, variants: Sequence[Variant], placements: PlacementSet, count: int, first: int
) -> list[PlannedEpisode]:
    """States ``first`` to ``first + count - 1`` of a set that is not the published one, for each of some variants.

    Raises UserError for too many, and for a setting whose published states leave no room between them.
    """
    if len(variants) * count > MOST_EPISODES or first + count > MOST_EPISODES:
        raise UserError(
            f"{task_name}, {setting}: states {first:,} to {first + count - 1:,} a variant are too many "
            f"for one plan (at most {MOST_EPISODES:,})."
        )
    episodes: list[PlannedEpisode] = []
    for variant in variants:
        ground = _ground(task_name, setting, variant)
        published = published_episodes(task_name, setting, variant)
        turns = halving(len(published))
        for number in range(first, first + count):
            turn, start = number // len(turns), turns[number % len(turns)]
            places = ground.places(placements, start, turn)
            episodes.append(_moved(published[start], ground.starts[start], places, placements, number))
    return episodes


def _moved(
    episode: PlannedEpisode, start: EpisodeSpec, places: Mapping[str, Vec2], placements: PlacementSet, number: int
) -> PlannedEpisode:
    setup = episode.setup.model_copy(
        update={
            "robot_xy": places.get(ROBOT, start.robot_xy), "robot_quat": start.robot_quat,
            "overlay": start.overlay, "place_choices": (),
        }
    )  # fmt: skip
    objects, moved = episode.objects, {role: xy for role, xy in places.items() if role != ROBOT}
    if load_task(episode.task).has_grid and "target" in moved:
        objects = {"init_xy": moved.pop("target")}
    seed = FIRST_SEEDS[placements] + number
    return replace(episode, index=number, seed=seed, setup=setup, objects=objects, placements=placements, moved=moved)


# ---- what a task leaves room for ---------------------------------------------------------------------------------------

_GROUNDS: dict[tuple[object, ...], tuple[object, _Ground]] = {}


def _ground(task_name: str, setting: str, variant: Variant) -> _Ground:
    task, key = load_task(task_name), (task_name, setting, placing(variant.setup))
    known = _GROUNDS.get(key)
    if known is None or known[0] is not task:  # a file of the user's may have changed
        known = _GROUNDS[key] = task, _new_ground(task_name, setting, variant)
    return known[1]


def _new_ground(task_name: str, setting: str, variant: Variant) -> _Ground:
    task = load_task(task_name)
    starts = tuple(built(published_episodes(task_name, setting, variant)))
    layouts = [layout_of(spec) for spec in starts]
    places = {ROBOT: [layout.robot for layout in layouts]}
    places |= {role: [layout.objects[role] for layout in layouts] for role in layouts[0].objects}
    varied = tuple(thing for thing, spots in places.items() if len(set(spots)) > 1)
    if not varied:
        raise UserError(
            f"{task_name}, {setting}: all published episodes have one placement, so nothing lies between them; give the task a "
            "grid, or play --placements published."
        )
    objects = [role for role in varied if role != ROBOT]
    together = [xy for role in objects for xy in places[role]]
    gridded = task.settings[setting].episodes.seeds is None or task.placements > 0
    apart = (spacing(together) if gridded else None) or math.inf
    base_apart = spacing(places[ROBOT]) or math.inf
    gap, base_gap = min(MOST_GAP, SHARE * apart), min(MOST_GAP, SHARE * base_apart)
    own = Clear(together if gridded else (), min(MOST_CLEARANCE, SHARE * apart))
    own_bases = Clear(places[ROBOT], min(BASE_CLEARANCE, SHARE * base_apart))
    family = [state for name in _names_of(task_name) for state in published_of(name)]
    met = [state for state in family if state.gridded or ROBOT not in varied]  # else the base is apart already
    scene = [state for name in _same_scene(task_name) for state in published_of(name)]
    room = _room(_spots(scene), own, Clear(_spots(met), gap))
    room_of_base = _room([state.layout.robot for state in scene], own_bases, Clear([s.layout.robot for s in family], base_gap))
    reach = _reach(together, REACH) if gridded and together else (REACH, REACH)
    return _Ground(
        task=task_name,
        setting=setting,
        starts=starts,
        gaps={thing: base_gap if thing == ROBOT else gap for thing in varied},
        reaches={thing: _reach(places[ROBOT], BASE_REACH) if thing == ROBOT else reach for thing in varied},
        rooms={thing: room_of_base if thing == ROBOT else room for thing in varied},
        separation=SEPARATION * min((way for layout in layouts for way in _ways(layout.objects.values())), default=0.0),
    )


def _spots(states: Iterable[Published]) -> list[Vec2]:
    """World positions [m] of all objects."""
    return sorted({xy for state in states for xy in state.layout.objects.values()})


class Clear(NamedTuple):
    """Positions, and how far to stay away from each of them, m."""

    of: Iterable[Vec2]
    by: float


def _room(box: Sequence[Vec2], *clear: Clear) -> Room:
    """The box around some positions, without what is near others."""
    xs, ys = zip(*box, strict=True) if box else ((0.0,), (0.0,))
    clearances = {xy: part.by for part in reversed(clear) for xy in part.of}  # of one position in several, the first counts
    taken = np.array(sorted(clearances)).reshape(-1, 2)
    return Room((min(xs), min(ys)), (max(xs), max(ys)), taken, np.array([clearances[xy] for xy in sorted(clearances)]))


def _names_of(task_name: str) -> tuple[str, ...]:
    """The task and its kin."""
    task = load_task(task_name)
    return tuple(dict.fromkeys((task_name, *kin(task.family, task.setup.robot))))


def _same_scene(task_name: str) -> list[str]:
    """The task, and tasks of any family that come with the package and have the same robot and scene."""
    setup = load_task(task_name).setup
    names = dict.fromkeys((task_name, *sorted(built_in_tasks())))
    return [name for name in names if (load_task(name).setup.robot, load_task(name).setup.scene) == (setup.robot, setup.scene)]


def _reach(places: Iterable[Vec2], most: float) -> Vec2:
    """m along x and y: half the widest spacing, where the places have one."""
    reach = []
    for values in zip(*places, strict=True):
        steps = [b - a for a, b in itertools.pairwise(sorted(set(values)))]
        reach.append(min(most, max(steps) / 2 if steps else most))
    return reach[0], reach[1]


def _ways(places: Iterable[Vec2]) -> Iterator[float]:
    return (math.dist(a, b) for a, b in itertools.combinations(places, 2))
