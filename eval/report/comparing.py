"""``simpler_eval.compare`` and ``simpler_eval.gate``: run folders in, what may be said of them out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eval.comparison.comparison import Comparison, compare_runs
from eval.comparison.gate import Gate, gate_of
from eval.comparison.real_robot import RealRobot, rank
from eval.comparison.sides import read_sides
from eval.comparison.wording import verdict
from eval.errors import UserError
from eval.given import Text, Texts, absolute, number_of, text_of, texts_of
from eval.records.folder import refuse_folder_of_run


@dataclass(frozen=True)
class Compared:
    """A comparison, the real-robot table beside it, and where its page lies."""

    comparison: Comparison
    ranking: RealRobot | None
    """None: the table has none of the policies."""
    page: Path | None
    """None: none was asked for."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """A sentence a policy: better or worse than the reference where the test says so, else what could not be told."""
        return tuple(verdict(self.comparison, against) for against in self.comparison.others)


def compare(
    *sides: Texts, common: bool = False, success: str | None = None, real: Texts | None = None, out: Text | None = None
) -> Compared:
    """Compare policies on the same initial states, episode by episode.

    Args:
        sides: two or more, the reference first. Each is the folder of a run, a sequence of the folders of its parts (shards of
            a plan, or tasks of one policy), or one folder that holds these.
        common: compare the episodes that the plans share, where they are not the same.
        success: ``last`` or ``any`` step counts; None: as the runs were counted.
        real: ``NAME=ROW`` of the real-robot table, or several (:func:`eval.comparison.real_robot.rank`).
        out: folder for ``index.html`` with the videos of what changed, ``compare.md``, ``.tex`` and ``.json``.

    Returns:
        The comparison: ``comparison.others[0]`` has the numbers of the first policy against the reference.

    Raises:
        UserError: runs that cannot be read or compared, a folder that is a run's, a disk that refuses.
    """
    folder = None if out is None else Path(absolute(text_of(out, "out")))
    runs = read_sides(sides, success, common)
    if folder is not None:
        refuse_folder_of_run(folder)
    comparison, ranking = compare_runs(runs, common), rank(runs, texts_of(real, "real"))
    page = None
    if folder is not None:
        from eval.report.compare_page import write_comparison  # jinja2: only who writes pages pays

        page = write_comparison(folder, comparison, ranking)
    return Compared(comparison, ranking, page)


def gate(run: Texts, baseline: Texts, margin: float, *, common: bool = False, success: str | None = None) -> Gate:
    """Whether a change of a policy may pass: ``outcome``, ``interval`` and the ``line`` that ``simpler-eval gate`` prints.

    Args:
        run: what is judged; each of the two as a side of :func:`compare`.
        baseline: what it is judged by: the same episodes.
        margin: points of success rate that may be lost, such as 3.
        common: as of :func:`compare`.
        success: as of :func:`compare`.

    Raises:
        UserError: as of :func:`compare`; the margin is no number of points.
    """
    margin = number_of(margin)
    if not isinstance(margin, int | float) or isinstance(margin, bool):
        raise UserError(f"margin is {margin!r}; give points that may be lost, such as 3.")
    return gate_of(compare_runs(read_sides([baseline, run], success, common), common), margin)
