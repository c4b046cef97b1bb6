"""A policy that somebody else serves: observations go over a wire, actions come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.errors import EpisodeLost, UserError, needs_extra
from eval.wire.own import KEY, episode_map, observation_map
from policies.base import Action, EpisodeInfo, EpisodeResult, Observation, PolicyDescription, RobotName
from policies.remote.address import Address, parse_address
from policies.remote.client import Answer, Client, ServerInfo, ServerProblem
from policies.remote.commands import Commands
from policies.remote.conventions import Family, GripperRule, ImageRule, filled, find_family
from policies.remote.event_loop import EventLoop
from policies.remote.http import HttpClient
from policies.remote.identity import described, described_as_ours
from policies.remote.images import Image, resized
from policies.remote.openpi import OpenpiClient
from policies.remote.options import CONNECTIONS, Wishes, image_format, read_size, seconds
from policies.remote.options import connections as most_connections
from policies.remote.patience import Patience
from policies.remote.playing import Playing
from policies.remote.states import state_vector
from policies.remote.vla_eval import VlaEvalClient

DEFAULT_FAMILY = {"vla-eval": "vla-eval", "openpi": "openpi", "http": "openvla", "https": "openvla"}
ASKED_SIZE = ("image_size", "image_resolution", "resize_size")
"""Under which a server says what images it wants."""
HOW_TO_START = {
    "vla-eval": "`simpler-eval serve POLICY --protocol vla-eval` or `vla-eval serve` starts one",
    "openpi": "`simpler-eval serve POLICY --protocol openpi` or openpi's scripts/serve_policy.py starts one",
    "http": "OpenVLA's vla-scripts/deploy.py starts one",
}
BETWEEN_TRIES = 1.0
"""Seconds between two looks whether a server is there."""
OURS = Family(
    source="simpler-eval serve",
    rotation="rotation_vector",
    gripper=GripperRule(value="raw", widowx="command", google_robot="command"),
)
"""Actions are commands already, and images and state go as they are."""


@dataclass
class _Episode:
    info: EpisodeInfo
    instruction: str
    playing: Playing
    commands: Commands


class RemotePolicy:
    """The policy behind ``vla-eval://HOST:PORT``, ``openpi://HOST:PORT`` or ``http://HOST:PORT/act``.

    Every episode that loses its server, or is answered nonsense, is lost alone (``EpisodeLost``); the next one tries again.
    """

    needs_image = True
    needs_privileged = False

    def __init__(
        self,
        address: str,
        family: str | None = None,
        name: str | None = None,
        image_size: str | int | None = None,
        image_format: str | None = None,
        rotation: str | None = None,
        unnorm_key: str | None = None,
        chunk: str | int | None = None,
        ensemble: str | None = None,
        timeout: str | float | None = None,
        connections: str | int | None = None,
        wait: str | float | None = None,
    ) -> None:
        """Connect.

        Args:
            address: where the server is.
            family: row of ``conventions.yaml``, or a file of that form; default: what the server's protocol suggests.
            name: what tables call it.
            image_size: pixels, ``224`` or ``256x320`` (height x width); default: what the server says, or the family's.
            image_format: ``raw`` (default), ``png`` or ``jpeg``; vla-eval alone has a choice.
            rotation: ``euler_xyz`` or ``rotation_vector``, where it is not the family's.
            unnorm_key: statistics that the server scales actions with, ``KEY`` or ``widowx=KEY,google_robot=KEY``.
            chunk: actions that are played of an answer.
            ensemble: ``cosine``, ``exponential``, ``mean`` or ``none``.
            timeout: seconds that an answer may take; default 60, and 600 for the first.
            connections: at most.
            wait: seconds to wait for a server that is not there yet.

        Raises:
            UserError: an option is no such thing, or no server answers.
        """
        self._settle(
            address, family, name, image_size, image_format, rotation, unnorm_key, chunk, ensemble, timeout, connections, wait
        )
        self._loop = EventLoop()
        self._episodes: dict[str, _Episode] = {}
        try:
            self.info = self._open(self._wait)
            self._remarks = self._heed(self.info)
        except BaseException:
            self.close()
            raise
        if self.info.served is not None:
            self.needs_image = self.info.served.needs_image

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, Any]) -> None:
        """Raise UserError for options that cannot be used, without asking the server."""
        cls.__new__(cls)._settle(**arguments)

    def _settle(
        self,
        address: str,
        family: str | None,
        name: str | None,
        image_size: str | int | None,
        image_format: str | None,
        rotation: str | None,
        unnorm_key: str | None,
        chunk: str | int | None,
        ensemble: str | None,
        timeout: str | float | None,
        connections: str | int | None,
        wait: str | float | None,
    ) -> None:
        """Read the options."""
        self.address = parse_address(address)
        wishes = (image_size, rotation, chunk, ensemble, unnorm_key)
        self._wishes = Wishes(*(None if wish is None else str(wish) for wish in wishes))
        self._given = {"family": family, "name": name, **vars(self._wishes)}
        self._name = name
        patience = Patience(None if timeout is None else seconds("timeout", timeout))
        self._family_name = family or DEFAULT_FAMILY[self.address.scheme]
        self.family = self._wishes.applied(find_family(self._family_name))
        most = CONNECTIONS if connections is None else most_connections(connections)
        self._client = self._make_client(patience, image_format, most)
        self._wait = 0.0 if wait is None else seconds("wait", wait, 0.0)

    # ---- the policy ----------------------------------------------------------------------------------------------------

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Begin these. Raises EpisodeLost if the server is gone."""
        for info in episodes:
            if info.episode in self._episodes:
                self._forget(info, None)
            self._begin(info)

    def act(self, observations: Sequence[Observation]) -> list[Action | EpisodeLost]:
        """One action per observation; those that the server must be asked about go there at the same time."""
        for observation in observations:
            known = self._episodes.get(observation.episode)
            if known is not None and known.instruction != observation.instruction:  # the next subtask of a long task
                self._restart(known, observation.instruction)
        due = [o for o in observations if o.episode in self._episodes and self._episodes[o.episode].playing.is_due()]
        images = {o.episode: self._image(o) for o in due}
        asked = [(o.episode, self._request(o, images[o.episode])) for o in due]
        answers = dict(zip((o.episode for o in due), self._loop.run(self._ask_all(asked)), strict=True)) if due else {}
        return [self._action(o, answers.get(o.episode), images.get(o.episode)) for o in observations]

    def end(self, episodes: Sequence[EpisodeInfo], results: Sequence[EpisodeResult]) -> None:
        """Tell the server, where its protocol has a word for it, and forget."""
        for info, result in zip(episodes, results, strict=True):
            self._forget(info, result)

    def describe(self) -> PolicyDescription:
        """What the server says of itself, and the conventions that it is spoken to by; its address decides nothing."""
        if self.info.served is not None:
            return described_as_ours(self.info, self.address)
        said = described(self.info, self._name, self.address, _file_name(self._family_name), self.family)
        return said.model_copy(update={"remarks": (*said.remarks, *self._remarks)})

    def close(self) -> None:
        """Hang up. May be called twice."""
        if self._loop.runs:
            self._loop.run(self._client.close())
            self._loop.close()

    # ---- beginning -----------------------------------------------------------------------------------------------------

    def _make_client(self, patience: Patience, pictures: str | None, most: int) -> Client:
        if pictures is not None and self.address.scheme != "vla-eval":
            raise UserError(f"image_format has no effect: {self.address.scheme} has no choice of how pictures are sent.")
        if self.address.scheme == "vla-eval":
            return VlaEvalClient(self.address, patience, image_format("raw" if pictures is None else pictures), most)
        protocol = "openpi" if self.address.scheme == "openpi" else "http"
        if protocol not in self.family.requests:
            spoken = ", ".join(["vla-eval", *self.family.requests])
            raise UserError(f"The family {self._family_name} is not spoken over {protocol}; it is over {spoken}.")
        if self._wishes.unnorm_key is not None and "$unnorm_key" not in str(self.family.requests[protocol]):
            raise UserError(f"unnorm_key has no effect: the family {self._family_name} sends none over {protocol}.")
        if protocol == "openpi":
            return OpenpiClient(self.address, patience, self.family.answer, most)
        return HttpClient(self.address, patience, most)

    def _open(self, wait: float) -> ServerInfo:
        until = time.monotonic() + wait
        while True:
            try:
                return self._loop.run(self._client.open())
            except ModuleNotFoundError as error:
                raise needs_extra(str(self.address), error.name, "remote") from error
            except ServerProblem as problem:
                if time.monotonic() + BETWEEN_TRIES > until:
                    hint = HOW_TO_START["http" if self.address.scheme == "https" else self.address.scheme]
                    waiting = "" if wait else ", and --policy-arg wait=SECONDS waits for it"
                    raise UserError(f"No policy server: {problem}; {hint}{waiting}.") from problem
            time.sleep(BETWEEN_TRIES)

    def _heed(self, info: ServerInfo) -> tuple[str, ...]:
        """What the server says it wants goes before the table, and what the user says before both; remarks come of it."""
        if info.served is not None:
            idle = [name for name, value in self._given.items() if value is not None]
            if idle:
                raise UserError(f"{idle[0]} has no effect: {self.address} is served by simpler-eval, which has one convention.")
            self.family = OURS
            return ()
        wants = {**info.said, **_map(info.said.get("observation_params"))}
        size = next((wants[key] for key in ASKED_SIZE if isinstance(wants.get(key), int | list | tuple)), None)
        if size is not None and self._wishes.image_size is None:
            image = ImageRule(size=_asked_size(size, self.address), resampling=self.family.image.resampling)  # type: ignore[arg-type]
            self.family = self.family.model_copy(update={"image": image})
        return self._heed_vla_eval(info, wants) if self._family_name == "vla-eval" else ()

    def _heed_vla_eval(self, info: ServerInfo, wants: Mapping[str, Any]) -> tuple[str, ...]:
        """As vla-eval's own benchmark class is set up by a server: sticky grippers, absolute poses."""
        if _text(wants.get("gripper_mode")) == "sticky":
            rule = GripperRule(value="opening", widowx="threshold", google_robot="position")
            self.family = self.family.model_copy(update={"gripper": rule})
        mode = _text(wants.get("control_mode"))
        if mode and "delta" not in mode.partition("_gripper_")[0]:
            self.family = self._wishes.applied(find_family("x-vla"))
        says = _map(_map(info.said.get("action_spec")).get("rotation")).get("format")
        if _text(says) == "euler_xyz" and self.family.rotation == "rotation_vector" and self._wishes.rotation is None:
            return ("Euler angles played as rotation vectors, as vla-eval does",)
        return ()

    # ---- episodes ------------------------------------------------------------------------------------------------------

    def _begin(self, info: EpisodeInfo) -> None:
        robot: RobotName = info.robot
        playing = Playing(robot, self.family.chunk, self.family.ensemble)
        self._loop.run(self._client.begin(info))
        self._episodes[info.episode] = _Episode(info, info.instruction, playing, Commands(self.family, robot))

    def _restart(self, known: _Episode, instruction: str) -> None:
        """For servers of ours the instruction of every observation is enough: the policy behind them sees it."""
        known.instruction = instruction
        if self.info.served is None:
            known.playing = Playing(known.info.robot, self.family.chunk, self.family.ensemble)
            known.commands = Commands(self.family, known.info.robot)

    def _forget(self, info: EpisodeInfo, result: EpisodeResult | None) -> None:
        if self._episodes.pop(info.episode, None) is not None:
            self._loop.run(self._client.end(info.episode, result))

    # ---- observations --------------------------------------------------------------------------------------------------

    def _image(self, observation: Observation) -> Image | None:
        if observation.image is None:
            return None
        return resized(observation.image, self.family.image.size.get(observation.robot), self.family.image.resampling)

    def _request(self, observation: Observation, image: Image | None) -> dict[str, Any]:
        ours = {KEY: observation_map(observation)} if self.info.served is not None else {}
        layout = self.family.state.get(observation.robot)
        state = None if layout is None else state_vector(layout, observation.proprio)
        if self.address.scheme == "vla-eval":
            images = {} if image is None else {"primary": image}
            request = {"images": images, "task_description": observation.instruction, **ours}
            return request | self._vla_eval_state(observation)
        if ours:
            info = episode_map(self._episodes[observation.episode].info)
            return {"image": image, "prompt": observation.instruction, KEY: {**ours[KEY], "info": info}}
        protocol = "openpi" if self.address.scheme == "openpi" else "http"
        values = {"image": image, "instruction": observation.instruction, "state": state}
        values["unnorm_key"] = self.family.unnorm_key.get(observation.robot)
        return dict(filled(self.family.requests[protocol], values))  # type: ignore[index]

    def _vla_eval_state(self, observation: Observation) -> dict[str, Any]:
        """Where the server wants it: the tool in the robot's base frame, whose own pose is then the origin."""
        info = self._episodes[observation.episode].info
        if self.info.served is not None:
            return {}
        said = {"task_name": info.task}
        if not _map(self.info.said.get("observation_params")).get("send_state"):
            return said
        proprio = observation.proprio
        tool = [*proprio.tcp_position, *proprio.tcp_quaternion]
        base = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
        poses = {"tcp_pose": tool, "base_pose": base, "states": [*tool, proprio.gripper_opening]}
        return said | {name: _float32(value) for name, value in poses.items()}

    async def _ask_all(self, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Answer | EpisodeLost]:
        async def ask(episode: str, request: Mapping[str, Any]) -> Answer | EpisodeLost:
            try:
                return await self._client.ask(episode, request)
            except EpisodeLost as problem:
                return problem

        return list(await asyncio.gather(*(ask(episode, request) for episode, request in asked)))

    def _action(
        self, observation: Observation, answer: Answer | EpisodeLost | None, image: Image | None
    ) -> Action | EpisodeLost:
        known = self._episodes.get(observation.episode)
        if known is None:
            return EpisodeLost("the policy was asked about an episode that it was not told of")
        if isinstance(answer, EpisodeLost):
            return answer
        if answer is not None:
            try:
                known.playing.add(answer.actions)
            except ValueError as error:
                return ServerProblem(f"{self.address} answered {error} (--policy-arg chunk=N)")
        values = known.playing.next()
        command = values if self.family is OURS else known.commands.command(values, observation.proprio)
        sent = image is not None and observation.image is not None and image.shape != observation.image.shape
        notes = {"images": [image], "labels": ["sent to the server"]} if sent else None
        return Action(command, answer is not None and answer.terminate, notes)


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    """What a server says in words; empty for anything else, such as an array, which compares number by number."""
    return value if isinstance(value, str) else ""


def _asked_size(size: object, address: Address) -> tuple[int, int]:
    parts = [size] if isinstance(size, int) else list(size)  # type: ignore[call-overload]
    try:
        return read_size("x".join(str(part) for part in parts[:2]))
    except UserError as error:
        raise UserError(f"{address} asks for images of a size that is none: {error}") from error


def _float32(values: Sequence[float]) -> Any:  # noqa: ANN401
    import numpy as np

    return np.array(values, np.float32)


def _file_name(family: str) -> str:
    return family.rsplit("/", 1)[-1]
