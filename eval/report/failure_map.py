"""The failure map: initial states drawn where they lie in the camera's picture, or on a plan, each with what came of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from eval.episode import EpisodeSpec, ObjectSpec, Vec3
from eval.records.results import RecordKey
from eval.records.videos import scene_path
from eval.report.entries import Entry, Outcome, Played
from eval.report.heat import WHOLE, kind_and_rest
from eval.report.view import CameraView, camera_view, resting_place

MOST_VIEWS = 4
"""Robot poses of a task that get a picture each; more of them are a plan seen from above."""
PLAN = 400
"""Pixels of a plan's longer side."""
MARGIN = 0.12
"""m around what a plan shows."""
CABINET_BOX = (-0.6, 0.01, -0.4, 0.4)
"""m, x and y of the cabinet's outline on a plan: the front as it stands (docs/simpler.md 9.3), the sides about."""
RADIUS, SHOWN = 14, 350
"""Pixels: of a mark, and of a panel's width, on the page."""
AROUND, LEAST, FLATTEST = 64, 0.7, 0.6
"""Pixels of a picture that are shown around its marks; the least width of that, of the picture's; its least height, of its
width."""
ON_THE_WAY = 0.27
"""Where on the way to its goal the mark of an object that is to be moved stands: those of both directions are apart."""
STEP = 0.1
"""m between the lines on a plain ground."""

Kind = Literal["success", "failure", "mixed", "errored", "missing"]
Point = tuple[float, float]


@dataclass(frozen=True)
class Mark:
    """The episodes that begin alike."""

    number: int
    """Of the page, by which the list of episodes knows it."""
    at: Point
    way: tuple[Point, Point] | None
    """From where to near where the object is to be moved."""
    kind: Kind
    successes: int
    n: int
    """With a verdict."""
    errored: int
    missing: int
    text: str
    """Where that is."""


@dataclass(frozen=True)
class Panel:
    """A picture or plan with marks."""

    title: str
    seen: Literal["camera", "plan"]
    width: int
    height: int
    window: tuple[float, float, float, float]
    """Column, row, width and height of what is shown of it: the surroundings of the marks."""
    picture: tuple[RecordKey, str] | None
    """An episode whose scene the picture shows, and its path inside the run folder; None: a plain ground."""
    lines: tuple[tuple[Point, Point], ...]
    """Of a plain ground, 0.1 m apart."""
    cabinet: tuple[Point, Point] | None
    """Corners of its outline on a plan."""
    marks: tuple[Mark, ...]

    @property
    def scale(self) -> float:
        """Of the marks: alike on the page whatever the window, but smaller where they would cover each other."""
        usual = self.window[2] / SHOWN
        points = [mark.at for mark in self.marks]
        closest = min((math.dist(a, b) for a, b in itertools.combinations(points, 2)), default=math.inf)
        return round(min(usual, max(closest / (1.85 * RADIUS), usual / 3)), 3)

    @property
    def name(self) -> str:
        """For people who do not see it."""
        return f"{self.title}: {len(self.marks)} initial states"


@dataclass(frozen=True)
class FailureMap:
    """The panels of a task in a setting."""

    task: str
    setting: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Maps:
    """Of an entry."""

    maps: tuple[FailureMap, ...]
    places: dict[RecordKey, int]
    """Number of the mark that an episode belongs to."""


def failure_maps(entry: Entry, first: int = 0) -> Maps:
    """All maps of an entry; marks are numbered from ``first`` on."""
    maps: list[FailureMap] = []
    places: dict[RecordKey, int] = {}
    for (task, setting), episodes in entry.by_place():
        panels = []
        plan = _Plan.around([episode.spec for episode in episodes])  # the same for all panels
        for title, some, pictured in _panels(episodes):
            panel, members = _panel(title, some, pictured, plan, first + len(set(places.values())))
            panels.append(panel)
            places |= members
        maps.append(FailureMap(task, setting, _with_one_window(panels)))
    return Maps(tuple(maps), places)


def _with_one_window(panels: Sequence[Panel]) -> tuple[Panel, ...]:
    """Pictures of one task show the same part of the image, so that they can be compared."""
    seen = [panel.window for panel in panels if panel.seen == "camera"]
    if not seen:
        return tuple(panels)
    left, top = min(x for x, _, _, _ in seen), min(y for _, y, _, _ in seen)
    right, bottom = max(x + wide for x, _, wide, _ in seen), max(y + high for _, y, _, high in seen)
    window = left, top, round(right - left, 1), round(bottom - top, 1)
    return tuple(replace(panel, window=window) if panel.seen == "camera" else panel for panel in panels)


def _panels(episodes: Sequence[Played]) -> Iterator[tuple[str, list[Played], bool]]:
    """Episodes of one picture: what is to be done, and, where the camera stands in a few places, which.

    The third says whether a run's picture of the scene shows them: a variant has one, and where its robot stands in several
    places, nobody knows which of them that shows.
    """
    kinds: dict[str, list[Played]] = {}
    for episode in episodes:
        kinds.setdefault(kind_and_rest(episode.spec.variant)[0], []).append(episode)
    several = len(kinds) > 1
    for kind, some in kinds.items():
        poses: dict[object, list[Played]] = {}
        for episode in some:
            poses.setdefault(episode.spec.robot_xy, []).append(episode)
        title = kind if several or kind != WHOLE else ""
        if len(poses) == 1 and any(_goal(episode.spec) for episode in some):
            layouts = _by_layout(some)
            for number, alike in enumerate(layouts, 1):
                yield f"{title}{', ' if title else ''}layout {number}" if len(layouts) > 1 else title, alike, True
        elif len(poses) == 1 or len(poses) > MOST_VIEWS or not any(map(_moved, (e.spec for e in some))):
            yield title, some, len(poses) == 1
        else:
            for number, seen in enumerate(poses.values(), 1):
                yield f"{title}{', ' if title else ''}robot in place {number}", seen, False


def _by_layout(episodes: Sequence[Played]) -> list[list[Played]]:
    """By where the objects lie, whichever they are; of most layouts there is one in which an object was left out."""
    layouts: dict[frozenset[tuple[float, float]], list[Played]] = {}
    spots = [frozenset((round(o.xy[0], 2), round(o.xy[1], 2)) for o in episode.spec.objects) for episode in episodes]
    for spot, episode in sorted(zip(spots, episodes, strict=True), key=lambda pair: -len(pair[0])):
        home = next((known for known in layouts if spot <= known), spot)
        layouts.setdefault(home, []).append(episode)
    return list(layouts.values())


def _moved(spec: EpisodeSpec) -> ObjectSpec | None:
    """The object that the task is about; None where there is only a drawer."""
    return next((entry for entry in spec.objects if entry.role in ("target", "source")), None)


def _goal(spec: EpisodeSpec) -> ObjectSpec | None:
    return next((entry for entry in spec.objects if entry.role == "goal"), None) if spec.rule.family == "move_near" else None


def _panel(
    title: str, episodes: Sequence[Played], pictured: bool, plan: _Plan, first: int
) -> tuple[Panel, dict[RecordKey, int]]:
    specs = [episode.spec for episode in episodes]
    filmed = _filmed(episodes) if pictured else None
    alike = len({spec.robot_xy for spec in specs}) == 1
    view = camera_view((filmed or episodes[0]).spec) if alike and all(_moved(spec) for spec in specs) else None
    if view is not None and not all(view.shows(resting_place(entry)) for spec in specs if (entry := _moved(spec))):
        view = None
    ground = view or plan
    groups: dict[object, list[Played]] = {}
    for episode in episodes:
        start, end = _begins(episode.spec)
        groups.setdefault((start[:2], None if end is None else end[:2]), []).append(episode)  # heights differ by object
    marks: list[Mark] = []
    places: dict[RecordKey, int] = {}
    for number, some in enumerate(groups.values(), first):
        start, end = _begins(some[0].spec)
        at, to = ground.pixel(start), None if end is None else ground.pixel(end)
        if at is None:
            continue
        marks.append(_mark(number, at, to, some, start))
        places |= {episode.key: number for episode in some}
    if isinstance(ground, CameraView):
        heights = [resting_place(entry)[2] for spec in specs if (entry := _moved(spec))]
        lines = _lines(ground, [point for spec in specs for point in _begins(spec) if point is not None], min(heights))
        picture = None
        if filmed is not None and filmed.record is not None and filmed.record.video is not None:
            picture = filmed.key, scene_path(filmed.record.video)
        window = _window(ground, [point for mark in marks for point in (mark.way or (mark.at,))])
        panel = Panel(title, "camera", ground.width, ground.height, window, picture, lines, None, tuple(marks))
    else:
        box = ground.cabinet if any(spec.cabinet for spec in specs) else None
        window = 0.0, 0.0, float(ground.width), float(ground.height)
        panel = Panel(title, "plan", ground.width, ground.height, window, None, ground.lines(), box, tuple(marks))
    return panel, places


def _begins(spec: EpisodeSpec) -> tuple[Vec3, Vec3 | None]:
    """Where what differs between the episodes lies, world, m: the object and its goal, or the robot."""
    moved, goal = _moved(spec), _goal(spec)
    if moved is None:
        return (*spec.robot_xy, 0.0), None
    return resting_place(moved), None if goal is None else resting_place(goal)


def _mark(number: int, at: Point, to: Point | None, episodes: Sequence[Played], start: Vec3) -> Mark:
    outcomes: list[Outcome] = [episode.outcome for episode in episodes]
    solved, failed = outcomes.count("success"), outcomes.count("failure")
    kind: Kind = "mixed" if solved and failed else "success" if solved else "failure" if failed else "missing"
    if kind == "missing" and "errored" in outcomes:
        kind = "errored"
    who = "robot" if _moved(episodes[0].spec) is None else "object"
    way = None if to is None else (at, to)
    if to is not None:
        at = at[0] + ON_THE_WAY * (to[0] - at[0]), at[1] + ON_THE_WAY * (to[1] - at[1])
    where = f"{who} at x {start[0]:.3f} m, y {start[1]:.3f} m"
    return Mark(
        number, at, way, kind, solved, solved + failed, outcomes.count("errored"), outcomes.count("missing"), where
    )  # fmt: skip


def _filmed(episodes: Sequence[Played]) -> Played | None:
    """One of them with a video, beside which the picture of its scene lies."""
    return next((e for e in episodes if e.record is not None and e.record.video and e.record.poster), None)


def _window(view: CameraView, points: Sequence[Point]) -> tuple[float, float, float, float]:
    """As much of the image as surrounds some pixels."""
    (left, right), (top, bottom) = ((min(p[k] for p in points), max(p[k] for p in points)) for k in (0, 1))
    wide = min(max(right - left + 2 * AROUND, bottom - top + 2 * AROUND, LEAST * view.width), view.width)
    high = min(max(bottom - top + 2 * AROUND, FLATTEST * wide), view.height)
    x = min(max((left + right - wide) / 2, 0.0), view.width - wide)
    y = min(max((top + bottom - high) / 2, 0.0), view.height - high)
    return round(x, 1), round(y, 1), round(wide, 1), round(high, 1)


def _lines(view: CameraView, points: Sequence[Vec3], height: float) -> tuple[tuple[Point, Point], ...]:
    """A net over the table around some places, as the camera sees it."""
    (x0, x1), (y0, y1) = (
        (STEP * round(min(p[axis] for p in points) / STEP - 1), STEP * round(max(p[axis] for p in points) / STEP + 1))
        for axis in (0, 1)
    )
    ends = [((x, y0, height), (x, y1, height)) for x in _steps(x0, x1)]
    ends += [((x0, y, height), (x1, y, height)) for y in _steps(y0, y1)]
    pixels = [(view.pixel(a), view.pixel(b)) for a, b in ends]
    return tuple((a, b) for a, b in pixels if a is not None and b is not None)


def _steps(low: float, high: float) -> list[float]:
    return [round(low + STEP * k, 6) for k in range(round((high - low) / STEP) + 1)]


@dataclass(frozen=True)
class _Plan:
    """The table or floor from above: up is away from the robot, which looks along -x, and right is +y."""

    x: tuple[float, float]
    y: tuple[float, float]

    @classmethod
    def around(cls, specs: Sequence[EpisodeSpec]) -> _Plan:
        points = [point[:2] for spec in specs for point in _begins(spec) if point is not None]
        if any(spec.cabinet for spec in specs):
            points += [(CABINET_BOX[1] - MARGIN, CABINET_BOX[2]), (CABINET_BOX[1], CABINET_BOX[3])]
        xs, ys = ([point[axis] for point in points] for axis in (0, 1))
        return cls((min(xs) - MARGIN, max(xs) + MARGIN), (min(ys) - MARGIN, max(ys) + MARGIN))

    @property
    def scale(self) -> float:
        """Pixels a metre."""
        return PLAN / max(self.x[1] - self.x[0], self.y[1] - self.y[0])

    @property
    def width(self) -> int:
        return round((self.y[1] - self.y[0]) * self.scale)

    @property
    def height(self) -> int:
        return round((self.x[1] - self.x[0]) * self.scale)

    def pixel(self, point: Vec3) -> Point:
        return (point[1] - self.y[0]) * self.scale, (point[0] - self.x[0]) * self.scale

    @property
    def cabinet(self) -> tuple[Point, Point]:
        x0, x1, y0, y1 = CABINET_BOX
        return self.pixel((max(x0, self.x[0]), y0, 0.0)), self.pixel((x1, y1, 0.0))

    def lines(self) -> tuple[tuple[Point, Point], ...]:
        (x0, x1), (y0, y1) = self.x, self.y
        across = [x for x in _steps(STEP * round(x0 / STEP), x1) if x0 < x < x1]
        along = [y for y in _steps(STEP * round(y0 / STEP), y1) if y0 < y < y1]
        ends = [((x, y0, 0.0), (x, y1, 0.0)) for x in across] + [((x0, y, 0.0), (x1, y, 0.0)) for y in along]
        return tuple((self.pixel(a), self.pixel(b)) for a, b in ends)
