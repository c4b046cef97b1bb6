"""The replicas of a run and what became of them, from their start to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.nouns import counted, noun, times
from eval.records.differences import first_difference
from eval.records.header import Course, ReplicaRecord
from eval.records.results import RecordKey
from eval.records.turns import Turn
from eval.rollout.interrupts import Interrupts
from eval.rollout.policy_watch import Status
from eval.rollout.replicas import messages
from eval.rollout.replicas.team import Team
from policies.base import PolicyDescription


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
        number = len(self.members)
        last = self.members[-1] if number == 1 else max(self.members, key=lambda member: member.verdicts)
        self._tell_untold(but=last.gone or "")
        raise UserError(
            f"{'The one replica' if number == 1 else f'All {number} replicas'} of the policy "
            f"{noun(number, 'was', 'were')} lost "
            f"({last.name}: {last.gone}); what is done is kept, "
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
        count = counted(len(names), "replica")
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
                often = times(member.losses)
                lines.append(f"simpler-eval: {member.name} was lost {often}, others played its episodes meanwhile")
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
