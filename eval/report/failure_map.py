"""The failure map: initial states drawn where they lie in the camera's picture, or on a plan, each with what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from eval.episode import EpisodeSpec, ObjectSpec, Vec3
from eval.nouns import counted
from eval.records.results import RecordKey
from eval.records.videos import scene_path, view_of
from eval.report.entries import Entry, Outcome, Played
from eval.report.heat import WHOLE, kind_and_rest
from eval.report.map_windows import Point, Window, resized, scale, together, window
from eval.report.view import CameraView, camera_view, resting_place

MOST_VIEWS = 4
"""Robot poses of a task that get a picture each; more of them are a plan seen from above."""
PLAN = 400
"""Pixels of a plan's longer side."""
MARGIN = 0.12
"""m around what a plan shows."""
CABINET_BOX = (-0.6, 0.01, -0.4, 0.4)
"""m, x and y of the cabinet's outline on a plan: the front as it stands (docs/simpler.md 9.3), the sides about."""
ON_THE_WAY = 0.27
"""Where on the way to its goal the mark of an object that is to be moved stands: those of both directions are apart."""
STEP = 0.1
"""m between the lines on a plain ground."""

Kind = Literal["success", "failure", "mixed", "errored", "missing"]


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
    window: Window
    """What is shown of it: the surroundings of the marks."""
    picture: tuple[RecordKey, str] | None
    """An episode whose scene the picture shows, and its path inside the run folder; None: a plain ground."""
    lines: tuple[tuple[Point, Point], ...]
    """Of a plain ground, 0.1 m apart."""
    cabinet: tuple[Point, Point] | None
    """Corners of its outline on a plan."""
    marks: tuple[Mark, ...]
    scale: float = 1.0
    """Of the marks."""

    @property
    def name(self) -> str:
        """For people who do not see it."""
        return f"{self.title}: {counted(len(self.marks), 'initial state')}"


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
        one_view = len({episode.spec.robot_xy for episode in episodes}) == 1
        for title, some, pictured in _panels(episodes):
            panel, members = _panel(title, some, pictured, plan, first + len(set(places.values())))
            panels.append(panel)
            places |= members
        maps.append(FailureMap(task, setting, _comparable(panels, one_view)))
    return Maps(tuple(maps), places)


def _comparable(panels: Sequence[Panel], one_view: bool) -> tuple[Panel, ...]:
    """Panels of one task with marks of one size. Its pictures show the same part of the image if the robot, and with it the
    camera, stands in one place, else parts of the same size."""
    windows = [panel.window for panel in panels if panel.seen == "camera"]
    if windows:
        size = max(wide for _, _, wide, _ in windows), max(high for _, _, _, high in windows)
        whole = together(windows)
        panels = [
            replace(p, window=whole if one_view else resized(p.window, size, (p.width, p.height))) if p.seen == "camera" else p
            for p in panels
        ]
    scales: dict[str, float] = {}
    for panel in panels:
        own = scale(panel.window, [mark.at for mark in panel.marks])
        scales[panel.seen] = min(own, scales.get(panel.seen, own))
    return tuple(replace(panel, scale=scales[panel.seen]) for panel in panels)


def _panels(episodes: Sequence[Played]) -> Iterator[tuple[str, list[Played], bool]]:
    """Episodes of one picture: what is to be done, and, where the camera stands in a few places, which. The third says whether
    it is known that a run's picture of the scene shows them (:func:`eval.records.videos.view_of`)."""
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
                yield (
                    f"{title}{', ' if title else ''}robot position {number} of {len(poses)}",
                    seen,
                    bool(view_of(seen[0].spec)),
                )


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
            picture = filmed.key, scene_path(filmed.record.video, filmed.spec)
        ends = [point for mark in marks for point in (mark.way or (mark.at,))]
        shown = window((ground.width, ground.height), ends, [mark.at for mark in marks])
        panel = Panel(title, "camera", ground.width, ground.height, shown, picture, lines, None, tuple(marks))
    else:
        box = ground.cabinet if any(spec.cabinet for spec in specs) else None
        shown = 0.0, 0.0, float(ground.width), float(ground.height)
        panel = Panel(title, "plan", ground.width, ground.height, shown, None, ground.lines(), box, tuple(marks))
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
