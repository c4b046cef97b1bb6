"""All that is known of every episode as one flat table with fixed types: for analyses of one's own.

The table of columns below is also its data dictionary: the schema file beside an export, the metadata of its Parquet columns
and ``docs/episodes_table.md`` are made of it.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from eval.episode import ObjectSpec
from eval.errors import needs_extra
from eval.records.escaping import plain_markdown
from eval.records.folder import RunData, disk_errors, replacing
from eval.records.labels import labels
from eval.records.results import EpisodeRecord
from eval.records.titles import title
from eval.records.turns import Turn, turns_of

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["text", "number", "whole", "flag"]
PANDAS = {"text": "string", "number": "Float64", "whole": "Int64", "flag": "boolean"}
"""Types in pandas; each knows the absence of a value."""
ARROW = {"text": "string", "number": "double", "whole": "int64", "flag": "bool"}
FILE, SCHEMA_FILE = "episodes.parquet", "episodes.schema.json"


@dataclass(frozen=True)
class _Row:
    run: RunData
    label: str
    title: str
    turn: Turn
    record: EpisodeRecord | None

    @property
    def statistics(self) -> Mapping[str, object]:
        return self.record.episode_stats if self.record else {}


@dataclass(frozen=True)
class Column:
    """A column, what it means, and where it comes from."""

    name: str
    kind: Kind
    about: str
    value: Callable[[_Row], object]


def _of_spec(name: str, kind: Kind, about: str) -> Column:
    return Column(name, kind, about, lambda row: getattr(row.turn.spec, name))


def _of_record(name: str, kind: Kind, about: str) -> Column:
    return Column(name, kind, about, lambda row: None if row.record is None else getattr(row.record, name))


def _of_policy(name: str, about: str) -> Column:
    return Column(f"policy_{name}", "text", about, lambda row: getattr(row.run.header.identity.policy, name))


STATISTICS: dict[str, tuple[Kind, str]] = {
    "grasped": ("flag", "picking: the object was ever grasped"),
    "consec_grasp": ("flag", "picking: grasped for several steps in a row"),
    "n_lift_significant": ("whole", "picking: steps in which it was clearly lifted"),
    "moved_correct_obj": ("flag", "moving near, putting on: the object of the task moved the most"),
    "moved_wrong_obj": ("flag", "moving near, putting on: another object moved the most"),
    "all_obj_keep_height": ("flag", "moving near: nothing fell"),
    "near_tgt_obj": ("flag", "moving near: the object is near the target"),
    "is_closest_to_tgt": ("flag", "moving near: the target is the nearest object"),
    "is_src_obj_grasped": ("flag", "putting on: the object was ever grasped"),
    "consecutive_grasp": ("flag", "putting on: grasped for several steps in a row"),
    "src_on_target": ("flag", "putting on: the object lies on its goal"),
    "qpos": ("number", "drawers: opening at the end, m"),
    "is_drawer_open": ("flag", "placing in a drawer: it was ever open"),
    "has_contact": ("whole", "placing in a drawer: steps in which the object was in it"),
}
"""Statistics of our tasks, at the end of an episode. Those of other worlds stand in ``statistics_json``."""


def _statistic(name: str) -> Column:
    kind, about = STATISTICS[name]
    return Column(
        f"stat_{name}", kind, about, lambda row: _typed((row.record.episode_stats if row.record else {}).get(name), kind)
    )


def _typed(value: object, kind: Kind) -> object:
    """A statistic as its kind; None where it is none of it (the original writes some numbers as text)."""
    if kind == "flag":
        return value if isinstance(value, bool) else None
    try:
        return float(value) if kind == "number" else int(value)  # type: ignore[arg-type,call-overload]
    except (TypeError, ValueError):
        return None


def _part(field: str, number: int) -> Callable[[Any], object]:
    """Gets a component of a vector."""
    vector = operator.attrgetter(field)
    return lambda one: vector(one)[number]


def _object(row: _Row, role: str) -> ObjectSpec | None:
    return next((one for one in row.turn.spec.objects if one.role == role), None)


def _placed(role: str) -> list[Column]:
    def part(name: str, kind: Kind, about: str, get: Callable[[ObjectSpec], object]) -> Column:
        return Column(
            f"{role}_{name}", kind, f"{role} object: {about}",
            lambda row: None if (found := _object(row, role)) is None else get(found),
        )  # fmt: skip

    parts = [part("model", "text", "name", lambda one: one.model)]
    parts += [part(axis, "number", f"start, {axis} in the world, m", _part("xy", k)) for k, axis in enumerate("xy")]
    return parts + [
        part(f"q{axis}", "number", f"start orientation, quaternion {axis}", _part("quat", k)) for k, axis in enumerate("wxyz")
    ]


COLUMNS: tuple[Column, ...] = (
    Column("run", "text", "label of the run, as in tables", lambda row: row.label),
    Column("id", "text", "hash of everything that defines the episode; the same in every run", lambda row: row.turn.spec.id),
    Column("repeat", "whole", "number of the repeat, from 0", lambda row: row.turn.repeat),
    _of_spec("task", "text", "name of the task"),
    _of_spec("setting", "text", "visual_matching, variant_aggregation, ..."),
    _of_spec("variant", "text", "variant of the sweep: one row of a table"),
    _of_spec("index", "whole", "number of the episode within its variant"),
    Column(
        "status", "text", "success, failure (by the flag of the last step), errored (no verdict) or missing (not played)",
        lambda row: row.record.status if row.record else "missing",
    ),
    _of_record("success_last", "flag", "success flag of the last step: the protocol's verdict"),
    _of_record("success_any", "flag", "whether the success flag was ever set"),
    _of_record("first_success_step", "whole", "control step at which the flag was first set; 1 = after the first action"),
    _of_record("steps", "whole", "control steps executed"),
    _of_record("seconds", "number", "wall-clock time from the reset to the end, s"),
    _of_record("attempts", "whole", "attempts; more than 1 if a worker or a replica was lost"),
    _of_record("error", "text", "why there is no verdict"),
    _of_record("video", "text", "path inside the run folder"),
    Column("instruction", "text", "instruction at the first step", lambda row: row.turn.spec.instruction),
    Column("last_instruction", "text", "instruction at the end", lambda row: row.record.instruction if row.record else None),
    *(_statistic(name) for name in STATISTICS),
    Column(
        "statistics_json", "text", "all statistics from the task or simulator",
        lambda row: json.dumps(dict(row.record.episode_stats)) if row.record else None,
    ),
    _of_spec("robot", "text", "robot of the original"),
    _of_spec("seed", "whole", "seed of the episode"),
    Column("turn_seed", "whole", "seed given to a stochastic policy", lambda row: row.turn.seed),
    _of_spec("max_steps", "whole", "step limit"),
    _of_spec("control_freq", "whole", "control steps per second"),
    _of_spec("scene", "text", "stage"),
    _of_spec("lighting", "text", "light set"),
    _of_spec("overlay", "text", "photo behind the scene, if any"),
    _of_spec("urdf_version", "text", "colour variant of the robot; empty: the plain one"),
    _of_spec("shader", "text", "the original's shader"),
    *(
        Column(f"robot_{axis}", "number", f"base, {axis} in the world, m", _part("turn.spec.robot_xy", k))
        for k, axis in enumerate("xy")
    ),
    *(
        Column(f"robot_q{axis}", "number", f"base, quaternion {axis}", _part("turn.spec.robot_quat", k))
        for k, axis in enumerate("wxyz")
    ),
    *_placed("target"),
    *_placed("source"),
    *_placed("goal"),
    Column(
        "objects_json", "text", "all objects: model, role, start (xy, z, quat), density, size",
        lambda row: json.dumps([one.model_dump(mode="json") for one in row.turn.spec.objects]),
    ),
    Column("drawer", "text", "drawer of the task", lambda row: row.turn.spec.cabinet.drawer if row.turn.spec.cabinet else None),
    Column(
        "drawers_json", "text", "openings of the top, middle and bottom drawer at the start, m",
        lambda row: json.dumps(row.turn.spec.cabinet.qpos) if row.turn.spec.cabinet else None,
    ),
    _of_spec("placements", "text", "initial states: published, heldout (between those) or train (separate from both)"),
    Column("policy", "text", "policy as requested; for a policy server its name", lambda row: row.run.header.player),
    _of_policy("name", "policy's own name"),
    _of_policy("weights", "hash of the contents of the weights"),
    _of_policy("code", "hash of user-defined policy code"),
    _of_policy("dtype", "dtype of the network"),
    _of_policy("inference", "inference mode of the network, where it affects the results"),
    Column(
        "observation_change", "text", "observation change of an audit: such a row is not a result",
        lambda row: row.run.header.identity.observation_change,
    ),
    Column(
        "policy_arguments_json", "text", "policy arguments",
        lambda row: json.dumps({name: str(value) for name, value in row.run.header.options.policy_args.items()}),
    ),
    Column("world", "text", "simulator", lambda row: row.run.header.identity.world.name),
    Column("assets", "text", "digest of the asset files of the run's episodes", lambda row: row.run.header.identity.assets),
    Column(
        "stand_ins", "whole", "number of stand-in asset files: if above 0, results are not comparable with published numbers",
        lambda row: _stand_ins(row.run),
    ),
    Column("run_title", "text", "all deviations of the run from the published protocol", lambda row: row.title),
)  # fmt: skip


def _stand_ins(run: RunData) -> int | None:
    assets = None if run.header.world is None else run.header.world.assets
    return None if assets is None or assets.stand_ins is None else len(assets.stand_ins)


def episodes_table(runs: Sequence[RunData]) -> pd.DataFrame:
    """A row for every planned episode and repeat of every run, in plan order; columns and types as in ``COLUMNS``."""
    import pandas as pd  # here, because every worker process imports what the command imports

    rows = [
        _Row(run, label, heading, turn, run.records.get(turn.key))
        for label, run in zip(labels(runs), runs, strict=True)
        for heading in [title(run.header, run.plan)]  # it looks at the whole plan
        for turn in turns_of(run.plan, run.header.repeats)
    ]
    values = {column.name: [column.value(row) for row in rows] for column in COLUMNS}
    return pd.DataFrame(values, dtype=object).astype({column.name: PANDAS[column.kind] for column in COLUMNS})


def schema() -> dict[str, Any]:
    """The data dictionary, for ``episodes.schema.json``."""
    return {
        "table": "episodes",
        "row": "an episode, or one of its repeats",
        "columns": [
            {"name": column.name, "type": ARROW[column.kind], "nullable": True, "description": column.about}
            for column in COLUMNS
        ],
    }


def write_parquet(table: pd.DataFrame, folder: Path) -> None:
    """Write ``episodes.parquet``, whose columns carry their descriptions, and its schema beside it.

    Raises:
        UserError: there is no ``pyarrow``, or the disk refuses.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise needs_extra("episodes.parquet", "pyarrow", "datasets") from None
    fields = [
        pa.field(column.name, pa.type_for_alias(ARROW[column.kind]), metadata={"description": column.about})
        for column in COLUMNS
    ]
    content = pa.Table.from_pandas(table, pa.schema(fields), preserve_index=False)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / FILE) as part:
            whole = pa.BufferOutputStream()  # a disk that refuses is met once, by us
            pq.write_table(content, whole)
            part.write_bytes(whole.getvalue())
        (folder / SCHEMA_FILE).write_text(json.dumps(schema(), indent=2) + "\n")


def dictionary() -> Mapping[str, str]:
    """Name of a column -> what it means."""
    return {column.name: column.about for column in COLUMNS}


def dictionary_page() -> str:
    """``docs/episodes_table.md``."""
    lines = [
        "# The table of episodes",
        "",
        "`simpler-eval export RUN --to parquet` (or `csv`) writes one row per planned episode and repeat. Any",
        "value may be absent. The same descriptions are in `episodes.schema.json` and in the metadata of the Parquet file.",
        "This page is generated by `python tools/episodes_page.py`.",
        "",
        "| column | type | meaning |",
        "|---|---|---|",
        *(f"| `{column.name}` | {ARROW[column.kind]} | {plain_markdown(column.about)} |" for column in COLUMNS),
    ]
    return "\n".join(lines) + "\n"
