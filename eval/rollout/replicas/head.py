"""The head of a run with replicas: hands out episodes, takes in what ends, and loses nothing when a replica is lost."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.differences import first_difference
from eval.records.header import Course, ReplicaRecord
from eval.records.results import RecordKey
from eval.records.turns import Turn
from eval.rollout.course import course_before
from eval.rollout.faults import world_fault
from eval.rollout.interrupts import Interrupts
from eval.rollout.play import Progress
from eval.rollout.policy_watch import Status
from eval.rollout.recorder import FolderRecorder
from eval.rollout.replicas import messages
from eval.rollout.replicas.team import Team
from eval.rollout.scheduling import EpisodeQueue
from eval.rollout.stopping import StopRule
from policies.base import PolicyDescription

MOST_LOSSES = 3
"""Replicas that may be lost while they hold an episode, before it counts as the cause."""
SICK = 3
"""Episodes in a row that a replica loses to its policy and another one does not, after which it is given up: its card is
broken."""
CLOSING_SECONDS = 30.0
"""That replicas have to say their last words, videos included."""


@dataclass(eq=False)
class Member:
    """A replica as the head knows it."""

    number: int
    name: str
    ready: messages.Ready | None = None
    opened: bool = False
    """Whether it was told how many episodes there are."""
    playing: messages.Playing | None = None
    held: dict[RecordKey, Turn] = field(default_factory=dict)
    last_spec: EpisodeSpec | None = None
    course: Course | None = None
    """How it plays, or did."""
    closed: PolicyDescription | None = None
    gone: str | None = None
    """Why it is lost; None: it is not."""
    away: bool = False
    """Whether it is lost, but another one will take its place."""
    losses: int = 0
    verdicts: int = 0
    blamed: int = 0
    """Episodes since its last verdict that its policy failed in and that of another replica did not."""
    doubts: set[RecordKey] = field(default_factory=set)
    """Episodes that its policy failed in, and that nobody has tried again yet."""
    silences: int = 0


class Staff:
    """The replicas of a run and what became of them, from their start to their end."""

    def __init__(self, team: Team, status: Status | None = None, say: Callable[[str], None] | None = None) -> None:
        self.team = team
        self.members = [Member(number, name) for number, name in enumerate(team.names)]
        self.first: messages.Ready | None = None
        """What the first one that was ready said; the others must be like it."""
        self._status, self._say = status, say or (lambda _: None)
        self._waits: dict[int, str] = {}
        self._refusal: str | None = None
        self._untold: list[tuple[str, str]] = []
        """Who was lost before any was ready, and why: where all are for the same reason, that is one line."""
        self._assets: str | None = None

    @property
    def alive(self) -> list[Member]:
        """Those that play, or may yet."""
        return [member for member in self.members if member.gone is None]

    def wait(self) -> messages.Ready:
        """Until one is ready. Raises UserError if none can be."""
        while self.first is None:
            for _ in self.events(0.5):
                if self.first is not None:
                    break
        return self.first

    def events(self, timeout: float) -> Iterator[tuple[Member, messages.FromReplica]]:
        """What the replicas say; what concerns their own life is taken in already. Raises UserError if none is left."""
        for number, message in self.team.events(timeout):
            member = self.members[number]
            if member.gone is not None:
                continue
            member.name = self.team.names[number]
            if isinstance(message, messages.Waits):
                self._show(number, message.text)
                continue
            if isinstance(message, messages.Ready) and not self._is_welcome(member, message):
                message = messages.Refused(member.gone or "")
            if isinstance(message, messages.Refused):
                self._refusal = self._refusal or message.text
                self._leave(member, message.text)
            if isinstance(message, messages.Lost):
                self._show(number, None)
                member.ready, member.playing, member.opened = None, None, False
                member.losses, member.away = member.losses + 1, message.returns
                if message.returns:
                    self._say(f"{member.name} was lost and is started anew, others play its episodes: {message.text}")
                else:
                    self._leave(member, message.text)
            if isinstance(message, messages.Playing):
                member.playing, member.course = message, message.course
            yield member, message
            self.require_one()

    def require_one(self) -> None:
        """Raises UserError if all are gone."""
        if self.alive:
            return
        if self._refusal is not None and all(not member.verdicts for member in self.members):
            self._tell_untold(but=self._refusal)
            raise UserError(self._refusal)
        last = self.members[-1] if len(self.members) == 1 else max(self.members, key=lambda member: member.verdicts)
        self._tell_untold(but=last.gone or "")
        raise UserError(
            f"All {len(self.members)} replicas of the policy were lost ({last.name}: {last.gone}); what is done is kept, "
            "--resume goes on."
        )

    def expect_assets(self, assets: str | None) -> None:
        """Give up the replicas of hosts whose asset files are others than the head's, those to come included."""
        self._assets = assets
        for member in self.alive:
            if member.ready is not None and (problem := self._other_assets(member.ready)):
                self._leave(member, problem)
        self.require_one()

    def _other_assets(self, ready: messages.Ready) -> str | None:
        if ready.assets is None or self._assets is None or ready.assets == self._assets:
            return None
        return "its host has other asset files than this one; give --assets a folder that is the same on every node"

    def introduce(self) -> None:
        """Say which replicas there are."""
        names = [self.team.names[member.number] for member in self.alive]
        count = "1 replica" if len(names) == 1 else f"{len(names)} replicas"
        self._say(f"{count} of the policy: {', '.join(names)}; each with")

    def dismiss(self, member: Member, why: str) -> None:
        """Give one up."""
        self._leave(member, why)

    def remarks(self) -> tuple[str, ...]:
        """A line for each that was lost."""
        lines = []
        for member in self.members:
            if member.gone is not None:
                lines.append(f"simpler-eval: {member.name} was lost, others played its episodes: {member.gone}")
            elif member.losses:
                times = "once" if member.losses == 1 else f"{member.losses} times"
                lines.append(f"simpler-eval: {member.name} was lost {times}, others played its episodes meanwhile")
        return tuple(lines)

    def record(self) -> tuple[ReplicaRecord, ...]:
        """For ``run.json``."""
        return tuple(
            ReplicaRecord(
                name=member.name,
                course=member.course,
                episodes=member.verdicts,
                losses=member.losses,
                lost=member.gone,
            )
            for member in self.members
        )

    def description(self) -> PolicyDescription:
        """Of the policy as its replicas know it now: that of the first, with the details of the others beside its own."""
        said = [member.closed or (member.ready.description if member.ready else None) for member in self.members]
        known = [description for description in said if description is not None]
        if not known:
            assert self.first is not None
            return self.first.description
        first, *others = known
        details = dict(first.details)
        if others:
            details["replicas"] = [dict(description.details) for description in others]
        remarks = tuple(dict.fromkeys(remark for description in known for remark in description.remarks))
        return first.model_copy(update={"details": details, "remarks": remarks})

    def _is_welcome(self, member: Member, ready: messages.Ready) -> bool:
        """Whether one that is ready plays the same policy in the same world as the first."""
        member.away = False
        if self.first is None:
            self.first = ready
            self._tell_untold()
        problem = first_difference(self.first.description.identity, ready.description.identity) or first_difference(
            self.first.world, ready.world
        )
        text = self._other_assets(ready) if problem is None else f"it differs from the others: it has {problem}"
        if text is not None:
            self._leave(member, text)
            return False
        member.ready = ready
        return True

    def _leave(self, member: Member, why: str) -> None:
        member.gone = " ".join(why.split())
        if self.first is None:
            self._untold.append((member.name, member.gone))
        elif self.alive:
            self._say(f"{member.name} was lost, others play its episodes: {member.gone}")
        self._show(member.number, None)
        self.team.dismiss(member.number)

    def _tell_untold(self, but: str = "") -> None:
        for name, why in self._untold:
            if why != " ".join(but.split()):
                self._say(f"{name} was lost: {why}" if but else f"{name} was lost, others play its episodes: {why}")
        self._untold.clear()

    def _show(self, number: int, text: str | None) -> None:
        if text is None:
            self._waits.pop(number, None)
        else:
            self._waits[number] = text
        if self._status is not None:
            self._status(next(iter(self._waits.values()), None))


class StaffCalls:
    """What a session asks of a policy, asked of its replicas."""

    def __init__(self, interrupts: Interrupts, staff: Staff) -> None:
        self.interrupts, self.staff = interrupts, staff

    def describe(self, name: str, args: Mapping[str, object]) -> PolicyDescription:
        """What it says of itself now."""
        return self.staff.description()


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
                self.staff.team.send(member.number, messages.Open(share, before))
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
        self._held_back(lambda: self.recorder.ended_elsewhere(episode, message.video))

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
