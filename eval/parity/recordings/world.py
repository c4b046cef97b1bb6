"""``parity world``: our world against recorded runs of the original."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eval.assets.options import chosen_assets
from eval.assets.resolver import Assets
from eval.given import Text, Texts, absolute, text_of, texts_of
from eval.parity.recordings.controller import controller_checks
from eval.parity.recordings.files import Recording, read_recording, recorded_keys
from eval.parity.recordings.grid import compare_grid
from eval.parity.recordings.resets import ResetDifferences
from eval.parity.recordings.sequences import Replay, Replayer, sequence_spec
from eval.parity.recordings.verdicts import state_verdicts
from eval.parity.report import Check, ParityReport, select
from eval.rollout.parallel import map_in_processes
from eval.simpler_api import NotSupported, SeedChain, spec_from_reset


@dataclass
class _KeyResult:
    key: str
    checks: list[Check] = field(default_factory=list)
    replays: list[Replay] = field(default_factory=list)
    resets: ResetDifferences | None = None


FAMILIES = ("coke", "near", "drawer", "place", "object", "carrot", "spoon", "cube", "eggplant")
"""The word before the first underscore of a key."""
FEWEST_JUDGED = 8
"""Sequences; the share of a smaller family says nothing."""


def compare_world(folder: Text, only: Texts = (), assets: Texts | None = None, processes: int | None = None) -> ParityReport:
    """Compare with every selected key of ``folder``; ``only``: name patterns, ``assets``: as for ``run``."""
    place = Path(absolute(text_of(folder, "folder")))
    keys = select(recorded_keys(place), texts_of(only, "only"))
    packs = chosen_assets(assets)
    Assets.from_option(packs)  # reports a wrong folder before any work
    jobs = [(str(place), key, packs) for key in keys]
    n = min(len(jobs), processes or os.cpu_count() or 1)
    results = map_in_processes(_compare_key, jobs, n)
    checks = [check for result in results for check in result.checks]
    replays = [replay for result in results for replay in result.replays]
    resets = [result.resets for result in results if result.resets is not None]
    return ParityReport(tuple(checks + _shares(replays, resets)), tuple(_notes(replays, resets)))


def _compare_key(job: tuple[str, str, str | None]) -> _KeyResult:
    folder, key, option = job
    assets = Assets.from_option(option)
    recording = read_recording(Path(folder), key)
    result = _KeyResult(key)
    if any(name.split("/")[-1] in ("fk.qpos", "ik.init") for name in recording.arrays):
        result.checks = controller_checks(recording, assets)
        return result
    if "blocks" in recording.facts:
        result.checks, result.resets = compare_grid(recording, assets)
        return result
    if "sequences" not in recording.facts:
        result.checks = [Check(key, "supported", 1.0, 0.0, "unsupported", 1)]
        return result
    try:
        _compare_resets(recording, assets, result)
        _compare_sequences(recording, assets, result)
    except NotSupported:
        result.checks = [Check(key, "supported", 1.0, 0.0, "unsupported", 1)]
    return result


def _compare_resets(recording: Recording, assets: Assets, result: _KeyResult) -> None:
    facts = recording.facts
    if "resets" not in facts:
        return
    chain, differences = SeedChain(), ResetDifferences()
    for i, reset in enumerate(facts["resets"]):
        spec = spec_from_reset(facts["env_id"], dict(facts["kwargs"]), reset["seed"], dict(reset["options"] or {}), chain)
        differences.add(spec, reset, _under(recording, f"r{i}/"), assets)
    result.resets = differences
    n = differences.resets
    result.checks += [
        Check(recording.key, "reset: robot and start poses", differences.exact, 1e-5, "m, rad", n),
        Check(recording.key, "reset: camera matrices", differences.camera, 1e-5, "1, m", n),
        Check(recording.key, "reset: texts, colours, photos", float(differences.texts_wrong), 0.0, "wrong", n),
    ]


def _compare_sequences(recording: Recording, assets: Assets, result: _KeyResult) -> None:
    facts = recording.facts
    replayer, judged = Replayer(assets), np.zeros(2, dtype=int)
    for i, sequence in enumerate(facts["sequences"]):
        spec = sequence_spec(sequence, sequence.get("env_id", facts.get("env_id")), sequence.get("kwargs", facts.get("kwargs")))
        arrays = _under(recording, f"s{i}/")
        result.replays.append(replayer.replay(f"{recording.key} #{i}", sequence, spec, arrays))
        judged += state_verdicts(spec, sequence["reset"]["actor_names"], arrays)
    wrong, n = sum(replay.steps_wrong for replay in result.replays), len(result.replays)
    result.checks.append(Check(recording.key, "instructions and step limits", float(wrong), 0.0, "wrong", n))
    if judged[1]:
        wrong, n = map(int, judged)
        result.checks.append(Check(recording.key, "verdicts on recorded states", float(wrong), 0.0, "wrong", n))
    for name, attribute, limit, unit in (
        ("contact-free tool position", "free_mm", 2.0, "mm"),
        ("contact-free tool rotation", "free_degrees", 0.5, "degree"),
        ("drive targets of step 1", "first_step_targets", 1e-5, "rad, m"),
        ("arm drive targets of later steps", "later_arm_targets", 1e-5, "rad, m"),
    ):
        values = [v for v in (getattr(replay, attribute) for replay in result.replays) if not math.isnan(v)]
        if values:
            result.checks.append(Check(recording.key, name, max(values), limit, unit, len(values)))


def _under(recording: Recording, prefix: str) -> dict[str, Any]:
    return {name[len(prefix) :]: array for name, array in recording.arrays.items() if name.startswith(prefix)}


def _shares(replays: list[Replay], resets: list[ResetDifferences]) -> list[Check]:
    """Checks made once over all keys."""
    checks = []
    if replays:
        n = len(replays)
        different = sum(replay.success != replay.recorded_success for replay in replays)
        surplus = abs(sum(r.success for r in replays) - sum(r.recorded_success for r in replays))
        checks.append(Check("all", "replay: outcomes that differ", different / n, 0.06, "share", n))
        checks.append(Check("all", "replay: difference in number of successes", surplus / n, 0.06, "share", n))
    for family in FAMILIES:
        own = [replay for replay in replays if replay.name.split("_")[0] == family]
        if len(own) >= FEWEST_JUDGED:
            share = sum(replay.success != replay.recorded_success for replay in own) / len(own)
            checks.append(Check(family, "replay: outcomes that differ", share, 0.15, "share", len(own)))
    n = sum(len(reset.settled) for reset in resets)
    if n:
        misses = sum(reset.misses for reset in resets)
        checks.append(Check("all", "settled objects off by 1 mm or 1 degree", misses / n, 0.02, "share", n))
    return checks


def _notes(replays: list[Replay], resets: list[ResetDifferences]) -> list[str]:
    notes = [
        f"{r.name} {r.kind}: recorded {'success' if r.recorded_success else 'failure'}, replayed the other"
        for r in replays
        if r.success != r.recorded_success
    ]
    if replays:
        recorded, own = sum(r.recorded_success for r in replays), sum(r.success for r in replays)
        whole = sorted(r.whole_mm for r in replays)
        notes.append(f"successes: {recorded} recorded, {own} replayed, of {len(replays)}")
        notes.append(f"tool over whole sequences: median {whole[len(whole) // 2]:.1f} mm, worst {whole[-1]:.1f} mm")
        drifted = max((r.drifted_arm_targets for r in replays if not math.isnan(r.drifted_arm_targets)), default=0.0)
        alone = "arm drive targets of later steps if only the joints are set anew, so that rounding adds up"
        notes.append(f"{alone}: {drifted:.3g} at worst (rad, m)")
    misses = sum(reset.misses for reset in resets)
    if misses:
        undecided = sum(reset.undecided for reset in resets)
        notes.append(f"settled objects off: {misses}, of which {undecided} end elsewhere in our own world as well when all")
        notes[-1] += " objects start one to ten micrometres higher or lower"
    rolling = [mm for reset in resets for mm in reset.rolling]
    if rolling:
        notes.append(f"objects still rolling in the recording: {len(rolling)}, up to {max(rolling):.1f} mm apart")
    return notes
