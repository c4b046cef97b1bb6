"""One process of the original simulator. Runs in the original's interpreter: of ours, only the protocol is loaded here.

Python 3.8 or newer with SAPIEN 2.2, NumPy, ``mani_skill2_real2sim`` and ``simpler_env``. Speaks the protocol of
``eval/backends/protocol.py``; a ``Begin`` carries the JSON of ``eval/backends/simpler_env/payload.py``.

    python worker.py probe [DEVICE]    one JSON line about this interpreter (``eval/backends/simpler_env/interpreter.py``)
    python worker.py serve FD PARENT   serve episodes over the socket ``FD`` for the process ``PARENT``

Every episode gets an environment of its own, and every scene a process of its own, as with the original's scripts: an
environment that has been played in settles its objects otherwise, and so, now and then, does a process that has played in
many scenes (``docs/original.md`` has the measurements). What is kept is the process of a scene, with its renderer.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from eval.backends import protocol
else:  # by its path: the folders of ours must not be searched for packages, one of them is called simpler_env
    _spec = importlib.util.spec_from_file_location("simpler_eval_protocol", Path(__file__).parents[1] / "protocol.py")
    protocol = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(protocol)

DRAWERS = ("top", "middle", "bottom")
IMAGE = {"obs_mode": "rgbd", "camera_cfgs": {"add_segmentation": True}}
"""As the original's scripts ask for it."""
NO_IMAGE = {"obs_mode": "state"}
NEXT = "SIMPLER_EVAL_NEXT_EPISODE"
"""Environment variable: the ``Begin`` with which a process that has been started anew goes on."""


# ---- what this interpreter has ---------------------------------------------------------------------------------------


def probe(render_device: str = "") -> dict[str, Any]:
    """What is installed here; ``error`` names the first thing that is lacking, ``stage`` which one it is.

    ``render_device``: what must be able to render; empty: anything.
    """
    probed: dict[str, Any] = {"python": "{}.{}.{}".format(*sys.version_info[:3])}
    stage = "packages"
    try:
        import numpy

        probed["numpy"] = numpy.__version__
        import sapien

        probed["sapien"] = sapien.__version__
        stage = "sapien"
        if not sapien.__version__.startswith("2.2."):
            raise RuntimeError(f"SAPIEN {sapien.__version__}")
        stage = "packages"
        for name in ("mani_skill2_real2sim", "simpler_env"):
            module = __import__(name)
            probed[name] = _origin(Path(str(module.__file__)).parent)
        stage = "assets"
        probed["assets"] = str(_asset_folder())
        if not (_asset_folder() / "custom").is_dir():
            raise RuntimeError(f"no folder custom in {_asset_folder()}")
        stage = "render_device" if render_device else "vulkan"
        probed["device"] = _device(render_device)
    except Exception as error:
        probed["stage"] = stage
        probed["error"] = f"{type(error).__name__}: {error}".splitlines()[0]
    return probed


def _origin(folder: Path) -> dict[str, Any]:
    """Where a package lies, its version, and its commit if it is a git checkout."""
    from importlib import metadata

    origin: dict[str, Any] = {"path": str(folder)}
    with contextlib.suppress(Exception):
        origin["version"] = metadata.version(folder.name)
    for parent in (folder.parent, folder.parent.parent):
        head = parent / ".git" / "HEAD"
        if head.is_file():
            text = head.read_text().strip()
            if text.startswith("ref: "):
                text = _commit_of(parent / ".git", text[5:])
            if text:
                origin["commit"] = text
            break
    return origin


def _commit_of(git: Path, ref: str) -> str:
    if (git / ref).is_file():
        return (git / ref).read_text().strip()
    packed = git / "packed-refs"
    lines = packed.read_text().splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(" " + ref)), "")


def _asset_folder() -> Path:
    import mani_skill2_real2sim

    return Path(mani_skill2_real2sim.ASSET_DIR).resolve()


def _device(name: str) -> str:
    """Start the renderer, as every environment of the original does, whether it renders or not; on a device if one is named."""
    import sapien.core

    chosen = {"device": name} if name else {}
    engine, renderer = sapien.core.Engine(), sapien.core.SapienRenderer(offscreen_only=True, **chosen)
    engine.set_renderer(renderer)
    engine.create_scene()
    return str(getattr(renderer, "device", "")) or "Vulkan"


# ---- serving episodes ------------------------------------------------------------------------------------------------


def serve(descriptor: int, parent: int) -> None:
    """Serve episodes until asked to stop or until the process ``parent`` is gone."""
    protocol.live_with_parent(parent)
    warnings.simplefilter("ignore")
    connection = Connection(descriptor)
    try:
        session = Session(connection, parent)
        if NEXT in os.environ:
            session.begin(protocol.Begin(*json.loads(os.environ.pop(NEXT))))
        else:
            protocol.send(connection, protocol.Ready())
        while True:
            message = protocol.receive(connection)
            if isinstance(message, protocol.Stop):
                return
            if isinstance(message, protocol.Begin):
                session.begin(message)
            elif isinstance(message, protocol.Step):
                session.step(message)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:  # whatever the simulator raises is the episode's fate, not the run's
        traceback.print_exc()
        protocol.send(connection, protocol.EpisodeFailed(protocol.one_line(error), traceback.format_exc()[-20_000:]))


class Session:
    """The environment at hand, its episode and the shared images."""

    def __init__(self, connection: Connection, parent: int) -> None:
        import mani_skill2_real2sim  # noqa: F401  asset folder
        import numpy
        import sapien.core
        from simpler_env.utils.env.env_builder import build_maniskill2_env
        from simpler_env.utils.env.observation_utils import get_image_from_maniskill2_obs_dict

        self.np, self.sapien = numpy, sapien.core
        self.build, self.image_of = build_maniskill2_env, get_image_from_maniskill2_obs_dict
        self.connection, self.parent = connection, parent
        self.env: Any = None
        self.scene: list[Any] | None = None
        self.images: NDArray[np.uint8] | None = None
        self.last_record = ""
        self.boxes: dict[str, Any] = {}

    def begin(self, begin: protocol.Begin) -> None:
        """Reset to an episode and report its first state."""
        self.asked, self.episode, self.steps = begin, json.loads(begin.episode), 0
        scene = [self.episode["env_id"], self.episode["kwargs"].get("scene_name"), begin.render]
        if self.scene not in (None, scene):
            os.environ[NEXT] = json.dumps(list(begin))
            os.set_inheritable(self.connection.fileno(), True)
            os.execv(sys.executable, [sys.executable, *sys.argv])
        self.scene = scene
        options = {group: self._arrays(values) for group, values in self.episode["options"].items()}
        if self.env is not None:
            self.env.close()  # they would add up
        self.env = self._make()
        observation, _ = self.env.reset(seed=self.episode["seed"], options=options)
        self.world = self.env.unwrapped
        if begin.privileged:
            self.boxes = {actor.name: self._box(actor) for actor in self._objects()}
        record = json.dumps(self._record())
        if record != self.last_record:
            protocol.send(self.connection, protocol.WorldChanged(record))
            self.last_record = record
        self.is_final = bool(self.world.is_final_subtask())
        self._report(observation, {"success": False, "episode_stats": self._first_stats()}, done=False)

    def step(self, step: protocol.Step) -> None:
        """One control step; a terminate before the final subtask only moves on to the next one."""
        done = step.terminate and self.is_final
        if step.terminate and not self.is_final:
            self.world.advance_to_next_subtask()
        self.steps += 1
        observation, _, _, _, info = self.env.step(self.np.array(step.action))
        self.is_final = bool(self.world.is_final_subtask())
        self._report(observation, info, done=done or self.steps >= self.episode["max_steps"])

    def _make(self) -> Any:  # noqa: ANN401  SAPIEN 2 has no types
        kwargs = dict(self.episode["kwargs"])
        if kwargs.get("rgb_overlay_path"):
            kwargs["rgb_overlay_path"] = str(_asset_folder() / kwargs["rgb_overlay_path"])
        return self.build(self.episode["env_id"], **kwargs, **(IMAGE if self.asked.render else NO_IMAGE))

    def _arrays(self, values: object) -> object:
        """Options as the original's scripts give them: positions as arrays, quaternions as lists."""
        if not isinstance(values, dict):
            return values
        return {key: self.np.array(value) if key == "init_xy" else value for key, value in values.items()}

    def _first_stats(self) -> dict[str, Any]:
        return dict(getattr(self.world, "episode_stats", None) or {})

    def _record(self) -> dict[str, Any]:
        """What only this process knows of a ``WorldRecord``; the parent completes it."""
        record: dict[str, Any] = {"name": "simpler_env", "device": None}
        if self.asked.render:
            record["device"] = os.environ.get("VK_ICD_FILENAMES") or "the default Vulkan device"
            config = self.sapien.render_config
            if str(config.camera_shader_dir) == "rt":
                denoiser = "optix" if config.rt_use_denoiser else "none"
                record["rendering"] = {"rt": "trace", "samples": int(config.rt_samples_per_pixel), "denoiser": denoiser}
        return record

    def _report(self, observation: object, info: dict[str, Any], done: bool) -> None:
        if self.asked.render:
            self._keep_image(self.image_of(self.world, observation))
        agent = self.world.agent
        tcp = self._pose(agent.robot.pose.inv() * self.world.tcp.pose)
        state = protocol.State(
            step=self.steps,
            instruction=str(self.world.get_language_instruction()),
            tcp_pose=tuple(float(number) for number in self.np.asarray(tcp, self.np.float32)),
            gripper_opening=min(float(1.0 - agent.get_gripper_closedness()), 1.0),
            qpos=tuple(float(angle) for angle in agent.robot.get_qpos()),
            success=bool(info["success"]),
            done=done,
            episode_stats=json.dumps({key: self._plain(value) for key, value in info["episode_stats"].items()}),
            privileged=self._privileged() if self.asked.privileged else None,
        )
        protocol.send(self.connection, state)

    def _keep_image(self, image: NDArray[np.uint8]) -> None:
        """Into the shared memory, which is made when the shape changes."""
        shape = (self.asked.slots, *image.shape)
        if self.images is None or self.images.shape != shape:
            shared = protocol.ImagesShared(*(int(number) for number in shape[:3]))
            memory = protocol.share_images(self.connection, self.parent, shared)
            self.images = self.np.frombuffer(memory, self.np.uint8).reshape(shape)
        self.images[self.steps % self.asked.slots] = image

    # ---- privileged state, as policies.base.Privileged describes it ---------------------------------------------------

    def _privileged(self) -> protocol.PrivilegedState:
        drawer, state = self.episode["drawer"], None
        if drawer is not None:
            cabinet = self.world.art_obj
            names = [joint.name for joint in cabinet.get_active_joints()]
            opening = float(cabinet.get_qpos()[names.index(drawer + "_drawer_joint")])
            link = next(link for link in cabinet.get_links() if link.name == drawer + "_drawer")
            state = protocol.DrawerState(opening, self._pose(link.pose))
        return protocol.PrivilegedState(
            family=self.episode["family"],
            objects={actor.name: self._pose(actor.pose) for actor in self._objects()},
            boxes=self.boxes,
            roles=self.episode["roles"],
            tcp=self._pose(self.world.tcp.pose),
            base=self._pose(self.world.agent.robot.pose),
            drawer=state,
        )

    def _objects(self) -> list[Any]:
        """Actors of the episode's objects, in the episode's order."""
        actors = {actor.name: actor for actor in self.world._scene.get_all_actors()}
        return [actors[name] for name in self.episode["objects"] if name in actors]

    def _box(self, actor: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:  # noqa: ANN401  SAPIEN 2 has no types
        """m, least and greatest corner of an actor's hulls along its own axes."""
        corners = []
        for shape in actor.get_collision_shapes():
            pose = shape.get_local_pose().to_transformation_matrix()
            vertices = self.np.asarray(shape.geometry.vertices, float) * self.np.asarray(shape.geometry.scale, float)
            corners.append(vertices @ pose[:3, :3].T + pose[:3, 3])
        every = self.np.concatenate(corners)
        return tuple(every.min(axis=0).tolist()), tuple(every.max(axis=0).tolist())

    def _pose(self, pose: Any) -> tuple[float, ...]:  # noqa: ANN401  SAPIEN 2 has no types
        """(7,) x y z qw qx qy qz."""
        return tuple(self.np.concatenate([pose.p, pose.q]).astype(float).tolist())

    def _plain(self, value: object) -> object:
        """A NumPy scalar as a JSON value."""
        return value.item() if isinstance(value, self.np.generic) else value


if __name__ == "__main__":
    if sys.argv[1] == "probe":
        sys.stdout.write(json.dumps(probe(*sys.argv[2:])) + "\n")
        sys.stdout.flush()
        os._exit(0)  # drivers have been seen to crash while they are unloaded
    serve(int(sys.argv[2]), int(sys.argv[3]))
