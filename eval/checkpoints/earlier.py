"""Runs of checkpoints that an earlier call played, and whether they are what would be played now."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from eval.checkpoints.finding import Checkpoint, Content, content_of
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.differences import another_plan
from eval.records.folder import RUN_FILE, RunData, load_run, plan_hash, write_atomically
from eval.records.options import RunOptions
from eval.records.turns import turns_of
from eval.rollout.header import identity_of
from eval.rollout.run import find_backend_of
from policies.registry import code_of

SEEN_FILE = ".checkpoints.json"
"""In the folder of all: what the files of each checkpoint were when it was played."""
PlainContent = list[list[object]]
"""Of a checkpoint's folder, as JSON has it."""


class EarlierRuns:
    """What lies in the folder of all."""

    def __init__(self, plan: Sequence[EpisodeSpec], options: RunOptions, out: Path) -> None:
        """Raises UserError where runs of other episodes lie there: they would stand in the same table and plot."""
        self._plan, self._options, self._out = plan, options, out
        for file in sorted(out.glob(f"*/{RUN_FILE}")):
            try:
                run = load_run(file.parent)
            except UserError:  # whoever plays it says what is wrong with it
                continue
            if run.header.plan_hash != plan_hash(plan):
                raise UserError(
                    f"{another_plan(file.parent, len(run.plan), len(plan))}; repeat the options it was made with, or "
                    "choose another --out."
                )
        self._world = find_backend_of(options, plan).identity

    def of(self, checkpoint: Checkpoint) -> RunData | None:
        """Its run, if it has begun."""
        folder = self._out / checkpoint.name
        try:
            return load_run(folder) if (folder / RUN_FILE).exists() else None
        except UserError:  # whoever plays it says what is wrong with it; the others' results are shown
            return None

    def whole(self, checkpoint: Checkpoint) -> RunData | None:
        """Its run, if that is complete, of these very files and played as it would be now; else it is played on."""
        run = self.of(checkpoint)
        if run is None or run.header.plan_hash != plan_hash(self._plan) or run.header.repeats < self._options.repeat:
            return None
        wanted = options_of(self._options, checkpoint)
        kept = run.header.options
        if (kept.policy, kept.policy_args, kept.world) != (wanted.policy, wanted.policy_args, wanted.world) or missing_of(run):
            return None
        if not self._played_as_now(run):
            return None
        if any(record.unwritten is not None for record in run.records.values()):
            return None
        if self._options.retry_errored and any(record.status == "errored" for record in run.records.values()):
            return None
        folder = checkpoint.folder
        if folder is not None and self._seen().get(checkpoint.name) != plain(content_of(folder)):
            return None
        return run

    def _played_as_now(self, run: RunData) -> bool:
        """Whether world, files and the policy's code are what they were; else it is played on, which says what is not."""
        before = run.header.identity
        if (before.policy.code or "").split("+")[-1] != (code_of(self._options.policy) or ""):
            return False
        looks = before.world.rendering is not None
        return before == identity_of(self._plan, self._options, self._world, before.policy, looks)

    def changed(self, checkpoint: Checkpoint) -> str | None:
        """Why its run cannot be gone on with, where other files lie there now and the policy does not tell weights apart."""
        run, before = self.of(checkpoint), self._seen().get(checkpoint.name)
        folder = checkpoint.folder
        if run is None or before is None or folder is None or run.header.identity.policy.weights is not None:
            return None
        if before == plain(content_of(folder)) or run.header.options.policy_args.get("checkpoint") != checkpoint.text:
            return None
        return (
            f"its files have changed since {self._out / checkpoint.name} was played, and the policy does not say which weights "
            "it has (`weights` of its describe()); choose another --out"
        )

    def _seen(self) -> dict[str, object]:
        file = self._out / SEEN_FILE
        try:
            known = json.loads(file.read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def remember(self, checkpoint: Checkpoint, content: PlainContent | None) -> None:
        """Note what its files were when it was played."""
        with contextlib.suppress(OSError):  # the next time it is played on, which finds out whether it is the same
            seen = {**self._seen(), checkpoint.name: content}
            write_atomically(self._out / SEEN_FILE, json.dumps(seen, indent=1))


def options_of(options: RunOptions, checkpoint: Checkpoint) -> RunOptions:
    """How one checkpoint is played, of how all are."""
    args = {**options.policy_args, "checkpoint": checkpoint.text}
    return options.model_copy(update={"policy_args": args, "gpus": None, "replicas": None})


def missing_of(run: RunData) -> int:
    """Episodes without a record."""
    return sum(turn.key not in run.records for turn in turns_of(run.plan, run.header.repeats))


def plain(content: Content) -> PlainContent:
    """As it comes back from JSON."""
    return [list(entry) for entry in content]
