"""Runs whose verdicts a test chooses: ``eval.run`` itself, with a script in the place of the simulator."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

from eval.backends.base import Simulation, WorldOptions
from eval.episode import EpisodeSpec
from eval.records.folder import RunData
from eval.records.header import AssetsRecord, WorldRecord
from eval.records.options import RunOptions
from eval.records.results import EpisodeRecord, Status
from eval.rollout.loop import Finished
from eval.rollout.play import play_episode
from eval.rollout.run import Session, play, run

ENDS: dict[str, Status] = {"s": "success", "f": "failure", "e": "errored"}
WORLD = WorldRecord(name="a scripted world", assets=AssetsRecord(stand_ins=()))


def scripted_run(
    out: Path,
    plan: Sequence[EpisodeSpec],
    ends: str | None = None,
    policy: object = "random",
    *,
    recorded: WorldRecord | None = WORLD,
    called: str | None = None,
    **options: object,
) -> RunData:
    """Play a plan such that its episodes end as the letters say: s, f, e(rrored), - (not played); None: all succeed.

    ``recorded`` is what the workers tell about their world. ``called`` is another name for the policy object, such as that of
    a network whose weights are not here. Further keywords as of ``eval.run``.
    """

    class Script:
        def __init__(self, turns, calls, settings, recorder, stopping, batch=None):
            self.turns, self.recorder, self.stopping, self.pool = turns, recorder, stopping, None

        def play(self):
            if recorded is not None:
                self.recorder.world(recorded)
            letters = dict(zip((spec.id for spec in plan), ends or "s" * len(plan), strict=True))
            for spec, repeat in self.turns:
                if letters[spec.id] != "-":
                    record = _record(spec, ENDS[letters[spec.id]]).model_copy(update={"repeat": repeat})
                    self.recorder.finished(Finished(spec, record))

    with mock.patch("eval.rollout.run.Rollout", Script):
        options = {"world": "fake_world", **options}
        if called is not None:
            return play(plan, RunOptions(policy=called, **options), policy, Session(out))
        return run(plan, policy, out=out, **options)


@contextlib.contextmanager
def in_this_process(world: Callable[[WorldOptions], Simulation]) -> Iterator[None]:
    """While this lasts, runs play their episodes in this process, one after the other, with policy and world themselves."""

    class Here:
        def __init__(self, turns, calls, settings, recorder, stopping, batch=None):
            self.turns, self.policy, self.recorder, self.stopping, self.pool = turns, calls.policy, recorder, stopping, None

        def play(self):
            simulation = world(WorldOptions())
            self.recorder.world(simulation.describe())
            for spec, _ in self.turns:
                self.recorder.finished(play_episode(simulation, self.policy, spec))

    with mock.patch("eval.rollout.run.Rollout", Here):
        yield


def _record(spec: EpisodeSpec, status: Status) -> EpisodeRecord:
    good = status == "success"
    return EpisodeRecord(
        id=spec.id, task=spec.task, setting=spec.setting, variant=spec.variant, status=status,
        success_last=good, success_any=good, error="the script says so" if status == "errored" else None,
    )  # fmt: skip
