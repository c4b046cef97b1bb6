"""A replica from inside: one policy, its simulator workers, and the pipe to the head."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
import traceback
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from eval.backends.base import Backend
from eval.backends.protocol import live_with_parent, one_line
from eval.backends.render_devices import render_devices
from eval.backends.selection import OWN, find_backend
from eval.errors import UserError
from eval.records.code import shipped_code_hash
from eval.records.header import WorldRecord
from eval.records.labels import player_name
from eval.records.options import RunOptions
from eval.records.results import EpisodeRecord, RecordKey
from eval.records.turns import Turn, turns_of
from eval.records.videos import Video, VideoQueue, VideoRule, scene_path
from eval.rollout.course import course_of
from eval.rollout.exits import leave
from eval.rollout.faults import Fault
from eval.rollout.interrupts import Interrupts
from eval.rollout.loop import Rollout
from eval.rollout.play import Finished, info_of
from eval.rollout.policy_calls import PolicyCalls, PolicyNeeds, preferred_batch
from eval.rollout.policy_closing import say_of
from eval.rollout.policy_watch import PolicyWatch
from eval.rollout.pool import WorkerSettings
from eval.rollout.recorder import film_of
from eval.rollout.recordings import CODECS, Recordings
from eval.rollout.replicas import messages
from eval.rollout.replicas.messages import Setup
from eval.rollout.stopping import StopRule
from policies.base import PolicyDescription

SPARE, SPARE_SHARE = 2, 0.25
"""Episodes that wait in a replica, so that workers that are done need not wait for the head: so many, or this share of those
under way, as several often end at once."""
VIDEO_SECONDS = 20.0
"""That videos may still take when the replica is told to stop."""


class Link:
    """The replica's end of the pipe; several threads may speak."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self._lock = connection, threading.Lock()

    def send(self, message: messages.FromReplica) -> None:
        """Say something. Raises OSError if the head is gone."""
        with self._lock:
            self.connection.send(message)

    def receive(self) -> messages.ToReplica:
        """What the head says next. Raises EOFError or OSError if it is gone."""
        message: messages.ToReplica = self.connection.recv()
        return message


def serve(connection: Connection, setup: Setup, parent: int) -> None:
    """Play what the head gives, until it says stop or the process ``parent`` is gone."""
    live_with_parent(parent)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # batch systems send it to all processes; the head's word counts
    os.environ.update(setup.environment)
    if setup.folder is not None:
        with contextlib.suppress(OSError):  # what is then not found is said by who looks for it
            os.chdir(setup.folder)
    link = Link(connection)
    try:
        _serve(link, setup)
    except UserError as error:
        link.send(messages.Refused(str(error)))
    except (EOFError, ConnectionError):
        return  # nobody is left to tell
    except Exception as error:
        traceback.print_exc()
        link.send(messages.Lost(one_line(error)))


def _serve(link: Link, setup: Setup) -> None:
    options, needs_card = setup.options, setup.card
    if needs_card and options.world == OWN and options.render_device is None:
        options = options.model_copy(update={"render_device": _own_render_device()})
    world = options.world, options.world_python, options.packs, options.rt
    backend = find_backend(*world, setup.plan, options.render_device)

    def last_words(text: str) -> NoReturn:
        with contextlib.suppress(OSError):
            link.send(messages.Lost(text))
        leave(1)

    with Interrupts() as interrupts, PolicyCalls(interrupts) as calls:  # noqa: SIM117  the watch ends before the guard
        with PolicyWatch(calls, options.watchdog, lambda text: link.send(messages.Waits(text)), last_words):
            policy = calls.make(options.policy, options.policy_args, "cuda:0" if needs_card else None)
            try:
                calls.check_episodes(options.policy, [info_of(turn) for turn in turns_of(setup.plan, options.repeat)])
                description = calls.describe(options.policy, options.policy_args)
                assets = _assets(setup)
                link.send(
                    messages.Ready(description, shipped_code_hash(policy), PolicyNeeds.of(policy), backend.identity, assets)
                )
                message = link.receive()
                if isinstance(message, messages.Open):
                    _play(link, setup, options, backend, calls, message, player_name(options, description))
                link.send(messages.Closed(_description_again(calls, options)))
            finally:
                say_of(calls.close(), options.policy)


def _own_render_device() -> str | None:
    """The one GPU that this process sees, if it can render."""
    return "cuda:0" if any(device.cuda == 0 for device in render_devices()) else None


def _assets(setup: Setup) -> str | None:
    if not setup.elsewhere or setup.options.world != OWN:
        return None
    from eval.assets.identity import assets_identity

    return assets_identity(setup.plan, setup.options.packs)


def _description_again(calls: PolicyCalls, options: RunOptions) -> PolicyDescription | None:
    try:
        return calls.describe(options.policy, options.policy_args)
    except UserError:
        return None


def _play(
    link: Link, setup: Setup, options: RunOptions, backend: Backend, calls: PolicyCalls, begin: messages.Open, policy: str
) -> None:
    cores = max(1, len(os.sched_getaffinity(0)) // setup.beside)
    options = options.model_copy(update={"workers": options.workers or cores})
    needs, preferred = PolicyNeeds.of(calls.policy), preferred_batch(calls.policy)
    course = course_of(options, backend, needs, preferred, begin.share, begin.before, begin.traced)
    threads, seats = max(1, cores // course.workers), course.workers * course.per_worker
    os.environ.setdefault("LP_NUM_THREADS", str(threads))  # a worker alone would count all cores as its own
    with tempfile.TemporaryDirectory(prefix="simpler-eval-") as folder:
        recorder = LinkRecorder(link, setup, VideoRule.parse(options.video), Path(folder), policy)
        settings = WorkerSettings(backend, course.workers, options.watchdog, course.per_worker, course.tracing)
        rollout = Rollout((), calls, settings, recorder, StopRule(), course.batch)
        rollout.expects_more = True
        recorder.rollout = rollout
        link.send(messages.Playing(course, seats + max(SPARE, int(SPARE_SHARE * seats))))
        try:
            rollout.play()
        finally:
            recorder.close()


class LinkRecorder:
    """The recorder of a replica: tells the head what happens, and hears between two steps what is to be played next.

    Args:
        link: to the head.
        setup: of the replica.
        rule: which films become videos.
        folder: where videos are encoded before they are sent.
        policy: what it is called in them.
    """

    def __init__(self, link: Link, setup: Setup, rule: VideoRule, folder: Path, policy: str) -> None:
        self.rollout: Rollout | None = None
        self._link, self._rule, self._folder, self._policy = link, rule, folder, policy
        self._specs = {spec.id: spec for spec in setup.plan}
        self._films: set[RecordKey] = set()
        self._filmed: dict[RecordKey, Finished] = {}
        self._videos = VideoQueue(folder)
        self._scenes: set[str] = set()
        record = setup.options.record
        self._recordings = Recordings(folder, CODECS[record], setup.options.keep) if record != "none" else None
        self._unrecorded: dict[RecordKey, messages.Ended] = {}

    def wants_film(self, turn: Turn) -> bool:
        """Whether the head asked for it, or all are recorded."""
        return self._recordings is not None or turn.key in self._films

    def wants_policy_view(self) -> bool:
        """Whether a film shows what the policy noted, too."""
        return self._rule.policy_view

    def world(self, record: WorldRecord) -> None:
        """Tell the head."""
        self._link.send(messages.WorldSeen(record))

    def noticed(self, fault: Fault, turn: Turn, where: str) -> None:
        """Tell the head."""
        self._link.send(messages.Noticed(fault, turn.key, where))

    def finished(self, episode: Finished) -> None:
        """Tell the head, after the video if the episode gets one."""
        record, frames = episode.record, episode.frames
        plain = replace(episode, frames=None, notes=(), flags=(), states=())
        if self._recordings is not None:
            self._recordings.take(episode)
        if record.key not in self._films or not self._rule.keep(record):
            self._say(plain, record)
        elif frames is None:
            self._say(plain, record.model_copy(update={"video_error": "there was no image yet"}))
        else:
            self._filmed[record.key] = plain
            self._videos.submit(film_of(episode, frames, self._policy))

    def tick(self) -> None:
        """Hear the head, and send the videos and frames that are done."""
        for record in self._videos.collect():
            self._send_filmed(record)
        self._send_recorded(self._recordings.settled() if self._recordings is not None else ())
        while self._link.connection.poll():
            self._hear(self._link.receive())

    def close(self) -> None:
        """Send what waits for its video; what is not encoded in time goes without."""
        self._videos.wait(VIDEO_SECONDS)
        for record in self._videos.abandon():
            self._send_filmed(record)
        self._videos.close(wait=False)
        if self._recordings is not None:
            self._recordings.wait(VIDEO_SECONDS)
            self._send_recorded(self._recordings.abandon())

    def _hear(self, message: messages.ToReplica) -> None:
        assert self.rollout is not None
        if isinstance(message, messages.Given):
            if message.film:
                self._films.add(message.key)
            else:
                self._films.discard(message.key)
            self.rollout.add([Turn(self._specs[message.key.episode], message.key.repeat)])
        elif isinstance(message, messages.Stop):
            self.rollout.stopping.reason = "the head said so"

    def _send_filmed(self, record: EpisodeRecord) -> None:
        episode = self._filmed.pop(record.key)
        files = {name: self._taken(name) for name in (record.video, record.poster) if name is not None}
        scene = scene_path(record.video, episode.spec) if record.video is not None else None
        if scene is not None and scene not in self._scenes and (self._folder / scene).exists():
            self._scenes.add(scene)  # its file stays, so that it is not made again
            files[scene] = (self._folder / scene).read_bytes()
        lacks = tuple(self._videos.incomplete.elements())
        self._videos.incomplete.clear()
        self._say(episode, record, Video(files, lacks) if files else None)

    def _taken(self, name: str) -> bytes:
        content = (self._folder / name).read_bytes()
        (self._folder / name).unlink()
        return content

    def _say(self, episode: Finished, record: EpisodeRecord, video: Video | None = None) -> None:
        ended = messages.Ended(replace(episode, record=record), video)
        if self._recordings is not None and self._recordings.hold(record):
            self._unrecorded[record.key] = ended
        else:
            self._link.send(ended)

    def _send_recorded(self, records: Sequence[EpisodeRecord]) -> None:
        assert self._recordings is not None or not records
        for record in records:
            recorded = self._recordings.hand_over(record.key) if self._recordings is not None else None
            ended = self._unrecorded.pop(record.key)
            self._link.send(replace(ended, episode=replace(ended.episode, record=record), recorded=recorded))
