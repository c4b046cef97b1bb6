"""The head of a run with replicas: hands out episodes, takes in what ends, and loses nothing when a replica is lost."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from eval.records.header import Course
from eval.records.results import RecordKey
from eval.records.turns import Turn
from eval.rollout.course import course_before
from eval.rollout.faults import world_fault
from eval.rollout.interrupts import Interrupts
from eval.rollout.play import Progress
from eval.rollout.recorder import FolderRecorder
from eval.rollout.replicas import messages
from eval.rollout.replicas.staff import Member, Staff
from eval.rollout.scheduling import EpisodeQueue, traced_share
from eval.rollout.stopping import StopRule

MOST_LOSSES = 3
"""Replicas that may be lost while they hold an episode, before it counts as the cause."""
SICK = 3
"""Episodes in a row that a replica loses to its policy and another one does not, after which it is given up: its card is
broken."""
CLOSING_SECONDS = 30.0
"""That replicas have to say their last words, videos included."""


class Head:
    """Plays episodes with the staff; has what a session needs of a :class:`eval.rollout.loop.Rollout`."""

    def __init__(
        self,
        turns: Sequence[Turn],
        staff: Staff,
        recorder: FolderRecorder,
        stopping: StopRule,
        interrupts: Interrupts,
        on_course: Callable[[Course], None],
    ) -> None:
        self.staff, self.recorder, self.stopping = staff, recorder, stopping
        self._interrupts, self._on_course = interrupts, on_course
        self._course_known = False
        rendering = None if staff.first is None or not staff.first.needs.image else staff.first.world.rendering
        self._turns = {turn.key: turn for turn in turns}
        self._queue = EpisodeQueue(turns, traces=rendering is not None and rendering.rt != "raster")
        self._traced = traced_share(turn.spec for turn in turns)
        self._left = len(turns)
        self._losses: Counter[RecordKey] = Counter()
        self._again: dict[RecordKey, _SecondTry] = {}

    def play(self) -> None:
        """Run until every episode ended or the run stops (``stopping.reason``).

        Raises ``UserError`` if no replica is left; Ctrl-C passes through. What is finished is taken in before.
        """
        try:
            if self._left:
                self._hand_out()
            while self._left and self.stopping.reason is None:
                for member, message in self.staff.events(0.5):
                    self._take_in(member, message)
                self._settle_second_tries()
                self._hand_out()
                self._tick()
        finally:
            self._close()

    # ---- out -----------------------------------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        alive = [member for member in self.staff.alive if not member.away]
        share = math.ceil(self._left / max(1, len(alive)))  # the last episodes are everybody's
        for member in alive:
            if member.ready is not None and not member.opened:
                member.opened = True
                before = course_before(self.recorder.folder.header)
                self.staff.team.send(member.number, messages.Open(share, before, self._traced))
        ready = [member for member in alive if member.playing is not None]
        for member in sorted(ready, key=lambda member: len(member.held)):
            assert member.playing is not None
            room = min(member.playing.room, max(share, 1))
            while len(member.held) < room and (turn := self._next(member, ready)) is not None:
                member.held[turn.key], member.last_spec = turn, turn.spec
                film = self.recorder.wants_film(turn)
                self.staff.team.send(member.number, messages.Given(turn.key, film))

    def _next(self, member: Member, ready: Sequence[Member]) -> Turn | None:
        for again in self._again.values():
            if not again.given and member.number not in again.tried:
                again.given = True
                return again.turn
        if len(member.doubts) >= SICK and self._others(member):
            return None  # until it is known whose fault it is
        # of what is traced and what is not each replica gets its part; of what is loaded, rather what the others have not
        others = [other.last_spec for other in ready if other is not member and other.last_spec is not None]
        own = [turn.spec for turn in member.held.values()]
        taken = self._queue.take(member.last_spec, [*own, *others])
        return None if taken is None else taken[0]

    # ---- in ------------------------------------------------------------------------------------------------------------

    def _take_in(self, member: Member, message: messages.FromReplica) -> None:
        if isinstance(message, messages.Ended):
            self._ended(member, message)
        elif isinstance(message, messages.WorldSeen):
            chosen = self.recorder.folder.header.options.render_device
            self.recorder.world(message.record.model_copy(update={"render_device": chosen}))
        elif isinstance(message, messages.Noticed):
            self._noticed(member, message)
        elif isinstance(message, messages.Lost | messages.Refused):
            self._lost(member)
        elif isinstance(message, messages.Playing) and not self._course_known:
            self._course_known = True
            self._on_course(message.course)
        elif isinstance(message, messages.Closed):
            member.closed = message.description

    def _ended(self, member: Member, message: messages.Ended) -> None:
        key = message.episode.record.key
        turn = member.held.pop(key, None)
        if turn is None:
            return  # it was given to another one meanwhile
        fault = message.episode.fault
        if fault is None or not fault.of_policy:
            member.verdicts, member.blamed = member.verdicts + 1, 0
            self._finish(message)
            if (again := self._again.pop(key, None)) is not None:
                self._blame(again)
            return
        again = self._again.setdefault(key, _SecondTry(turn))
        again.tried.add(member.number)
        again.last, again.given = message, False
        member.doubts.add(key)

    def _blame(self, again: _SecondTry) -> None:
        """An episode has a verdict that others have lost to their policy."""
        for member in self.staff.alive:
            if member.number in again.tried:
                member.doubts.discard(again.turn.key)
                member.blamed += 1
                if member.blamed >= SICK and again.last is not None and again.last.episode.fault is not None:
                    why = again.last.episode.fault.text
                    self._give_up(member, f"its policy failed in {SICK} episodes in a row, that of others did not: {why}")

    def _noticed(self, member: Member, message: messages.Noticed) -> None:
        turn = self._turns[message.key]
        self.recorder.noticed(message.fault, turn, message.where)
        member.silences += message.fault.silent
        if member.silences > 1 and any(other.verdicts for other in self._others(member)):
            self._give_up(member, message.fault.text)
        elif not self._others(member):
            self.stopping.noticed(message.fault)

    def _others(self, member: Member) -> list[Member]:
        return [other for other in self.staff.alive if other is not member and not other.away]

    def _give_up(self, member: Member, why: str) -> None:
        self.staff.dismiss(member, why)
        self._lost(member)

    def _lost(self, member: Member) -> None:
        """What it held goes to others."""
        held, member.held = member.held, {}
        for key, turn in held.items():
            self._losses[key] += 1
            if (again := self._again.get(key)) is not None:
                again.given = False
            elif self._losses[key] < MOST_LOSSES:
                self._queue.put_back(turn, 1)
            else:
                text = (
                    f"{self._losses[key]} replicas were lost while they played it (the last: {member.gone or 'its host died'})"
                )
                self._finish(messages.Ended(Progress(turn).finished(world_fault(text))))

    def _settle_second_tries(self) -> None:
        """Where nobody is left who has not tried it, an episode has failed for good."""
        numbers = {member.number for member in self.staff.alive}
        for key, again in list(self._again.items()):
            if not again.given and numbers <= again.tried and self.stopping.reason is None:
                del self._again[key]
                for member in self.staff.members:
                    member.doubts.discard(key)
                assert again.last is not None
                self._finish(again.last)

    def _finish(self, message: messages.Ended) -> None:
        """Record the end of an episode."""
        episode = message.episode
        if lost := self._losses[episode.record.key]:
            attempts = episode.record.attempts + lost
            episode = replace(episode, record=episode.record.model_copy(update={"attempts": attempts}))
        self._left -= 1
        self.stopping.ended(episode.record, episode.fault)
        self._held_back(lambda: self.recorder.ended_elsewhere(episode, message.video, message.recorded))

    def _tick(self) -> None:
        self._held_back(self.recorder.tick)

    def _held_back(self, work: Callable[[], None]) -> None:
        self._interrupts.hold()  # a result that has been seen is kept
        try:
            work()
        finally:
            self._interrupts.release()

    # ---- the end -------------------------------------------------------------------------------------------------------

    def _close(self) -> None:
        """Let the replicas say what is done; a second Ctrl-C ends that."""
        waited = [member for member in self.staff.alive if member.ready is not None]
        for member in waited:
            self.staff.team.send(member.number, messages.Stop())
        end, open_ones = time.monotonic() + CLOSING_SECONDS, {member.number for member in waited}
        while open_ones and time.monotonic() < end:
            for number, message in self.staff.team.events(0.2):
                member = self.staff.members[number]
                if isinstance(message, messages.Ended) and message.episode.fault is None:
                    self._ended(member, message)
                elif isinstance(message, messages.Closed):
                    member.closed = message.description
                if isinstance(message, messages.Closed | messages.Lost | messages.Refused):
                    open_ones.discard(number)


@dataclass
class _SecondTry:
    """An episode that one replica's policy failed in: that of another one shall try."""

    turn: Turn
    tried: set[int] = field(default_factory=set)
    given: bool = False
    last: messages.Ended | None = None
