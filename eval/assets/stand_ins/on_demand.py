"""Stand-ins for the other task families: cabinets, apartment, bedroom and office, and the photos of drawers and sink.

Unlike the tables' they are made one by one, when a world first asks for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path, PurePosixPath

from eval.assets.cache import cache_folder, write_whole

CUSTOM, MODELS = PurePosixPath("data/custom"), PurePosixPath("data/custom/models")
STAGES, PHOTOS = PurePosixPath("data/hab2_bench_assets/stages"), PurePosixPath("data/real_inpainting")


def make(relative: str) -> Path | None:
    """File that stands in for ``relative`` (a path inside a pack), generated if need be, or None if we have none."""
    maker = _maker(PurePosixPath(relative))
    return None if maker is None else _cached(relative, maker)


def _maker(path: PurePosixPath) -> Callable[[], bytes] | None:
    from eval.assets.stand_ins import cabinets, drawer_photos, rooms  # slow to import, seldom needed

    if path.parent == CUSTOM and path.suffix == ".urdf" and path.stem in cabinets.STATIONS:
        if cabinets.STATIONS[path.stem].top is None:
            make(str(MODELS / cabinets.TABLETOP))  # the file refers to it
        return lambda: cabinets.urdf(path.stem)
    if path == MODELS / cabinets.TABLETOP:
        return cabinets.tabletop
    if path.parent == STAGES and path.suffix == ".glb" and path.stem in rooms.ROOMS:
        return lambda: rooms.stage(path.stem)
    if path.parent == PHOTOS and path.name in drawer_photos.PHOTOS:
        return lambda: drawer_photos.photo(path.name)
    return None


@cache
def _folder() -> Path:
    """Named after the generators' text, so that a changed generator never meets an old cache."""
    digest = hashlib.blake2b(digest_size=6)
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return cache_folder() / "more-standins" / digest.hexdigest()


def _cached(relative: str, maker: Callable[[], bytes]) -> Path:
    """The cached file, made again if it is absent or damaged; its checksum lies beside it.

    ``maker`` is deterministic, so processes that race write the same bytes.
    """
    path = _folder() / relative
    sums = path.with_name(f".{path.name}.blake2b")
    try:
        if sums.read_bytes() == _checksum(path.read_bytes()):
            return path
    except OSError:
        pass
    data = maker()
    for target, content in ((path, data), (sums, _checksum(data))):
        write_whole(target, content)
    return path


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).hexdigest().encode()
