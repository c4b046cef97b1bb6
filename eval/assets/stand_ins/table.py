"""Which generator makes the stand-in for which of the original's files. Slow to import: the mesh libraries come with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from eval.assets.stand_ins import cabinets, drawer_photos, objects, photos, robots, rooms, stages

MODELS = "data/custom/models"
STAGES = "data/hab2_bench_assets/stages"
PHOTOS = "data/real_inpainting"
DESCRIPTIONS = "mani_skill2_real2sim/assets/descriptions"


@dataclass(frozen=True)
class StandIn:
    """The generator of a file."""

    generate: Callable[[], bytes]
    """Its content: the same bytes at every call, whatever else was generated before."""
    meshes: tuple[str, ...] = ()
    """Further stand-ins without which it cannot be loaded: the mesh files that a URDF names."""


def _table() -> Iterator[tuple[str, StandIn]]:
    for name, plain in objects.NAMES.items():
        for file in objects.FILES:
            yield f"{MODELS}/{name}/{file}", StandIn(partial(objects.model_file, plain, file))
    yield f"{MODELS}/{cabinets.TABLETOP}", StandIn(cabinets.tabletop)
    for name, station in cabinets.STATIONS.items():
        meshes = (f"{MODELS}/{cabinets.TABLETOP}",) if station.top is None else ()
        yield f"data/custom/{name}.urdf", StandIn(partial(cabinets.urdf, name), meshes)
    for name in stages.STAGES:
        yield f"{STAGES}/{name}.glb", StandIn(partial(stages.stage_file, name))
    for name in rooms.ROOMS:
        yield f"{STAGES}/{name}.glb", StandIn(partial(rooms.stage_file, name))
    for name in photos.PHOTOS:
        yield f"{PHOTOS}/{name}", StandIn(partial(photos.photo, name))
    for name in drawer_photos.PHOTOS:
        yield f"{PHOTOS}/{name}", StandIn(partial(drawer_photos.photo, name))
    for file, robot in robots.ROBOTS.items():
        folder = f"{DESCRIPTIONS}/{file.rpartition('/')[0]}"
        wedges = {f"{folder}/{mesh}": wedge for mesh, wedge in robots.wedges(robot).items()}
        yield f"{DESCRIPTIONS}/{file}", StandIn(partial(robots.urdf, robot), tuple(wedges))
        for name, wedge in wedges.items():  # the colour versions of a robot share them
            yield name, StandIn(partial(robots.wedge_file, wedge))


TABLE: Mapping[str, StandIn] = dict(_table())
"""By name relative to a pack."""
