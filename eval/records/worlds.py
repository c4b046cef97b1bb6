"""One record of the world from several workers, scenes or runs."""

from __future__ import annotations

from eval.records.header import AssetsRecord, WorldRecord


def merge_worlds(before: WorldRecord | None, record: WorldRecord) -> WorldRecord:
    """What all of them used: lists of files are joined, and what the later record does not know stays."""
    if before is None:
        return record
    known = {name: value for name in WorldRecord.model_fields if (value := getattr(record, name)) not in (None, (), {})}
    if before.assets is not None and record.assets is not None:
        known["assets"] = _merge_assets(before.assets, record.assets)
    return before.model_copy(update=known)


def _merge_assets(a: AssetsRecord, b: AssetsRecord) -> AssetsRecord:
    known = [record.stand_ins for record in (a, b) if record.stand_ins is not None]
    return AssetsRecord(
        packs=tuple(sorted({*a.packs, *b.packs})) if a.packs != b.packs else a.packs,
        stand_ins=tuple(sorted({name for names in known for name in names})) if known else None,
        kind=a.kind if a.kind == b.kind else "mixed" if a.kind and b.kind else a.kind or b.kind,
        files={**a.files, **b.files},
        broken={**a.broken, **b.broken},
    )
