"""vla-eval's YAML for a suite of ours: one entry a cell, since each entry has one number of episodes, and cells differ."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from eval.episode import EpisodeSpec
from eval.plan.options import PlanOptions
from eval.records.cells import cells
from eval.tasks.user_tasks import user_tasks

BENCHMARK = "eval.interop.vla_eval:SimplerEval"


def vla_eval_config(
    options: PlanOptions,
    url: str = "ws://127.0.0.1:8000",
    output_dir: str = "results/vla-eval",
    params: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """What ``vla-eval run -c FILE --no-docker`` takes, as plain data.

    Args:
        options: which episodes; without ``limit``, ``sample`` and ``shard``, for which vla-eval has its own ways.
        url: of the model server.
        output_dir: of vla-eval.
        params: further ones of :class:`eval.interop.vla_eval.SimplerEval`, the same for all entries.

    Raises:
        UserError: as :func:`eval.plan.suites.make_plan`.
    """  # fmt: skip
    more = dict(params or {})
    if options.max_steps is not None:
        more["max_episode_steps"] = options.max_steps
    counts: Counter[_Part] = Counter()
    longest: dict[_Part, int] = {}
    for spec in options.plan():
        part = _part_of(spec, options.variants)
        counts[part] += 1
        longest[part] = max(longest.get(part, 0), spec.max_steps)
    entries = []
    for part, count in counts.items():
        task = str(user_tasks().get(part.task, part.task))  # in vla-eval's process a file is known by its path alone
        own: dict[str, Any] = {"task_name": task, "setting": part.setting}
        own |= {"variants": [*part.variants]} if part.variants else {}
        entries.append({
            "benchmark": BENCHMARK,
            "name": f"{part.title} ({part.setting.replace('_', ' ')})",
            "episodes_per_task": count,
            "max_steps": longest[part],
            "params": {**own, **more},
        })  # fmt: skip
    return {"server": {"url": url}, "output_dir": output_dir, "benchmarks": entries}


class _Part(NamedTuple):
    """Episodes of one entry."""

    task: str
    setting: str
    variants: tuple[str, ...]
    """Patterns; none: all."""
    title: str


def _part_of(spec: EpisodeSpec, patterns: Sequence[str]) -> _Part:
    """By published sub-cell, unless the user chose variants."""
    for sub_cell in cells().sub_cells.values() if not patterns else ():
        for source in sub_cell.sources:
            published = spec.setting in cells().settings and spec.task in source.tasks
            if published and fnmatch.fnmatchcase(spec.variant, source.variants):
                variants = () if source.variants == "*" else (source.variants,)
                return _Part(spec.task, spec.setting, variants, sub_cell.title)
    return _Part(spec.task, spec.setting, tuple(patterns), spec.task)
