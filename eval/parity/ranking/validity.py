"""For which commits a side of a comparison is valid: as long as what decided its episodes is what it was.

The original's side takes hours. What of ours decides it is the code of the policy and of the worker in the original's
process (:class:`eval.records.header.CodeRecord`), and the plan with its resets, which stands in the run itself; everything
else may change. Our own side is of the commit that it was played at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.backends.selection import ORIGINAL, OWN
from eval.backends.simpler_env.backend import worker_code
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.folder import RunData


@dataclass(frozen=True)
class Validity:
    """What decided the two sides of a comparison."""

    policy: dict[str, tuple[str, ...]]
    """Hashes of the policy's code, by world; more than one where sessions differ, none where it is not recorded."""
    worker: tuple[str, ...]
    """Of the original's side."""
    present_worker: str

    @classmethod
    def of(cls, ours: Sequence[RunData], original: Sequence[RunData]) -> Validity:
        """Of the runs of both sides. Raises UserError if they were played by different code of the policy."""
        policy = {OWN: policy_codes(ours), ORIGINAL: policy_codes(original)}
        known = {code for codes in policy.values() for code in codes}
        if len(known) > 1:
            sides = "; ".join(f"{world}: {', '.join(codes) or 'not recorded'}" for world, codes in policy.items())
            raise UserError(
                f"The two sides were played by different code of the policy ({sides}), so that a difference would tell nothing "
                f"of the worlds; play the side that is older again ({_commits(ours, original)})."
            )
        sessions = [session for run in original for session in run.header.sessions]
        worker = dict.fromkeys(session.code.worker for session in sessions if session.code and session.code.worker)
        return cls(policy, tuple(worker), worker_code())

    @property
    def remark(self) -> str:
        """For the heading; empty if nothing has to be said."""
        lacking = [world for world, codes in self.policy.items() if not codes]
        text = f"; CODE OF THE POLICY NOT RECORDED in {' and '.join(lacking)}" if lacking else ""
        if self.worker and self.worker != (self.present_worker,):
            text += f"; {ORIGINAL} played by ANOTHER WORKER than this version's"
        return text

    @property
    def sentence(self) -> str:
        """For the page: for which commits the original's side is valid."""
        if not self.policy[ORIGINAL] or not self.worker:
            return (
                f"Which code played the side of {ORIGINAL} is not recorded (the runs are older than that, or the policy is "
                "of an installed package), so that it is known to be valid for the commits named above alone."
            )
        text = (
            f"The side of {ORIGINAL} is valid for every commit that has the policy's code {self.policy[ORIGINAL][0]}, the "
            f"original's worker {' and '.join(self.worker)} (hashes over the code without comments) and the plan's resets; "
        )
        same = self.worker == (self.present_worker,)
        return text + ("this version's worker is the same." if same else f"this version's worker is {self.present_worker}.")

    def to_json(self) -> dict[str, object]:
        """JSON values."""
        policy = {world: list(codes) for world, codes in self.policy.items()}
        return {"policy": policy, "worker": list(self.worker), "present_worker": self.present_worker}


def policy_codes(runs: Iterable[RunData]) -> tuple[str, ...]:
    """Recorded hashes of the policy's code, whether it is shipped with us or a user's own, each once."""
    sessions = [session for run in runs for session in run.header.sessions]
    codes = [(session.code.policy if session.code else None) or session.policy_code for session in sessions]
    return tuple(dict.fromkeys(code for code in codes if code))


def refuse_other_code(run: RunData, present: str | None) -> None:
    """Raise UserError if a run was played by other code of the policy than the present."""
    for code in policy_codes([run]):
        if present is not None and code != present:
            policy, commit = run.header.options.policy, _commits([run])
            raise UserError(
                f"{run.path} was played by other code of {policy} ({code}, {commit}; now {present}), which may act otherwise; "
                "go on at that commit, choose another --out, or give --out alone to compare what is there."
            )


def refuse_other_policy(run: RunData, policy: str, options: Mapping[str, str]) -> None:
    """Raise UserError if a run is of another policy, or of this one with other options."""
    theirs = run.header.options
    if theirs.policy != policy:
        raise UserError(f"{run.path} holds a run of {theirs.policy}, not of {policy}; choose another --out.")
    if theirs.policy_args != options:
        texts = (", ".join(f"{k}={v}" for k, v in sorted(args.items())) or "none" for args in (theirs.policy_args, options))
        was, given = texts
        raise UserError(f"{run.path} holds a run of other options of the policy ({was}, not {given}); choose another --out.")


def refuse_other_resets(plan: Sequence[EpisodeSpec], other: Sequence[EpisodeSpec], path: Path) -> None:
    """Raise UserError if an episode of a run begins otherwise in the original than that of the same id in ``other``."""
    resets = {spec.id: spec.simpler_reset for spec in other}
    for spec in plan:
        reset = resets.get(spec.id)
        if reset is not None and spec.simpler_reset is not None and reset != spec.simpler_reset:
            raise UserError(
                f"{path} was played with other resets of the original than this version's ({spec.task} {spec.variant} "
                f"#{spec.index}); choose another --out."
            )


def _commits(*sides: Sequence[RunData]) -> str:
    """``at abc1234, at def5678``: a side after the other."""
    of_side = [{s.git.commit[:7] for run in runs for s in run.header.sessions if s.git} for runs in sides]
    return ", ".join(f"at {' and '.join(sorted(commits))}" if commits else "unrecorded" for commits in of_side)
