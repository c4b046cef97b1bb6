"""``meta/episodes`` of a dataset: where the frames of each episode lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.datasets.damage import damage
from eval.datasets.parquet_files import read_parquet
from eval.errors import UserError

FOLDER = "meta/episodes"


@dataclass(frozen=True)
class EpisodeFrames:
    """Where the frames of an episode are."""

    number: int
    begin: int
    end: int
    tasks: tuple[str, ...]
    row: Mapping[str, Any]
    """All that ``meta/episodes`` says of it, but its statistics."""

    def __len__(self) -> int:
        return self.end - self.begin


def read_episodes(root: Path) -> tuple[EpisodeFrames, ...]:
    """Those of the dataset in ``root``, by their number, each where the one before it ends.

    Raises UserError if one is missing, said twice, or lies elsewhere: its frames would be those of another one.
    """
    episodes = sorted(_listed(root), key=lambda episode: episode.number)
    begin = 0
    for number, episode in enumerate(episodes):
        if episode.number != number:
            what = f"lists episode {episode.number} twice" if episode.number < number else f"lacks episode {number}"
            raise UserError(f"{root / FOLDER} {what}; fetch or write the dataset anew.")
        if episode.begin != begin or episode.end < begin:
            raise UserError(
                f"{root / FOLDER} is damaged: episode {number} has the frames from {episode.begin} to {episode.end}, and its "
                f"first one should be {begin}; fetch or write the dataset anew."
            )
        begin = episode.end
    return tuple(episodes)


def file_of(template: str, root: Path, episode: EpisodeFrames, kind: str, video_key: str = "") -> Path:
    """The file in which an episode's data or images lie.

    Args:
        template: of its path, as ``meta/info.json`` has it.
        root: folder of the dataset.
        episode: which.
        kind: ``data``, or ``videos/<key>``, as the columns of ``meta/episodes`` begin.
        video_key: of the images.
    """
    with damage(root / FOLDER):
        place = {name: int(episode.row[f"{kind}/{name}"]) for name in ("chunk_index", "file_index")}
        return root / template.format(video_key=video_key, **place)


def _listed(root: Path) -> Iterator[EpisodeFrames]:
    import pyarrow.parquet as pq

    for path in (root / FOLDER).glob("*/*.parquet"):
        with damage(path):
            names = [name for name in pq.read_schema(path).names if not name.startswith("stats/")]
            rows = read_parquet(path, names).to_pylist()
            found = [_of_row(row) for row in rows]
        yield from found


def _of_row(row: Mapping[str, Any]) -> EpisodeFrames:
    number, begin, end = (int(row[name]) for name in ("episode_index", "dataset_from_index", "dataset_to_index"))
    return EpisodeFrames(number, begin, end, tuple(row["tasks"]), row)
