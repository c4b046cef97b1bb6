"""Our world as a benchmark of vla-eval (0.8.0): ``benchmark: "eval.interop.vla_eval:SimplerEval"`` in its YAML.

Needs the package vla-eval beside ours. :mod:`eval.interop.vla_eval_config` writes the YAML of a whole suite.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from vla_eval.benchmarks.base import StepBenchmark, StepResult
from vla_eval.specs import IMAGE_RGB, LANGUAGE, POSITION_DELTA, RAW, DimSpec

from eval.errors import UserError, did_you_mean
from eval.interop.episodes import OneWorld, Seen, flag, refuse_unknown, world_keywords
from eval.nouns import counted
from eval.plan.suites import make_plan

GRIPPERS = ("binary", "sticky", "command")
OPEN_ABOVE, STICKY_ABOVE, STICKY_STEPS = 0.5, 0.5, 15
SUCCESS_MODES = ("truncation", "early_stop", "accumulate")


class SimplerEval(StepBenchmark):  # type: ignore[misc]  # mypy does not follow what is optional
    """A setting of a SIMPLER task: the episodes of our plan, one an ``episode_idx``.

    Observations are those of vla-eval's own SIMPLER (``images.primary``, ``task_description``, ``task_name``, and with
    ``send_state`` ``states``), and so are ``gripper_mode`` and ``success_mode``, which a server may ask for.
    """

    render_backends: ClassVar[frozenset[str]] = frozenset({"gpu", "cpu"})

    def __init__(
        self,
        task_name: str = "widowx_carrot_on_plate",
        setting: str = "visual_matching",
        variants: list[str] | None = None,
        max_episode_steps: int | None = None,
        success_mode: str = "truncation",
        send_state: bool = False,
        gripper_mode: str | None = None,
        assets: str | None = None,
        rt: str = "auto",
        render_device: str | None = None,
        world: str = "simpler-eval",
        **unknown: object,
    ) -> None:
        """
        Args:
            task_name: a task of ``simpler-eval list``.
            setting: of the task.
            variants: only those that match one of these patterns.
            max_episode_steps: limit instead of the task's own.
            success_mode: ``truncation`` (the success of the last step counts, as in the original), ``early_stop`` or
                ``accumulate`` (the success of any step).
            send_state: whether observations have ``states``.
            gripper_mode: ``binary`` (above 0.5 opens a WidowX), ``sticky`` (an opening 0 .. 1, from which a Google Robot's
                command is made and held for 15 steps), or ``command`` (what the controller takes). Default: ``command`` if a
                server of ours says ``terminate`` beside its actions, else as vla-eval's own SIMPLER has it for the robot.
            assets: packs, as ``simpler-eval run --assets``.
            rt: as ``--rt``.
            render_device: as ``--render-device``.
            world: as ``--world``.

        Raises:
            UserError: there are no such episodes, or an option or its value means nothing.
        """
        refuse_unknown("This benchmark", unknown, type(self).__init__)
        send_state = flag("send_state", send_state)
        super().__init__()
        for name, value, choices in (("success_mode", success_mode, SUCCESS_MODES), ("gripper_mode", gripper_mode, GRIPPERS)):
            if value is not None and value not in choices:
                raise UserError(f'{name} is "{value}"; use {", ".join(choices)}.{did_you_mean(str(value), choices)}')
        self._plan = make_plan(tasks=task_name, setting=setting, variants=variants or (), max_steps=max_episode_steps)
        self._task_name, self._success_mode = task_name, success_mode
        self._send_state, self._gripper_mode = send_state, gripper_mode
        self._world_options = world_keywords(
            self._plan, {"assets": assets, "rt": rt, "render_device": render_device, "world": world}
        )
        self._world: OneWorld | None = None
        self._meta = {"task_name": task_name, "setting": setting, "variants": [*(variants or ())], "success_mode": success_mode}
        self._google = self._plan[0].robot_family == "google_robot"

    @classmethod
    def configure_render(cls, mode: str) -> dict[str, str]:
        """Our world finds its own way to render, on a GPU or on none."""
        return {}

    def get_tasks(self) -> list[dict[str, Any]]:
        """One; its episodes are those of the plan."""
        return [{"name": self._task_name, "task_name": self._task_name, "robot": "google_robot" if self._google else "widowx"}]

    def reset(self, task: dict[str, Any]) -> Seen:
        """Begin the episode ``task["episode_idx"]`` of the plan. Raises UserError beyond its end: none is played twice."""
        index = int(task.get("episode_idx", 0))
        if not 0 <= index < len(self._plan):
            raise UserError(
                f"{self._task_name} has {counted(len(self._plan), 'episode')} here; set episodes_per_task: {len(self._plan)}."
            )
        if self._world is None:
            self._world = OneWorld(self._plan, **self._world_options)
        self._spec, self._succeeded = self._plan[index], False
        self._held: float | None = None
        self._repeats = 0
        # a server of ours plays it exactly as a run of ours would
        task |= {"episode": self._spec.id, "seed": self._spec.seed, "max_steps": self._spec.max_steps}
        task |= {"control_freq": self._spec.control_freq, "task_description": self._spec.instruction}
        seen = self._world.begin(self._spec)
        self._recorder.record_video(seen.image)
        return seen

    def step(self, action: dict[str, Any]) -> StepResult:
        """Play a control step with seven numbers: translation, rotation vector, gripper."""
        assert self._world is not None, "reset comes before step"
        given = np.asarray(action["actions"] if "actions" in action else action["action"], np.float64)
        given = given[0] if given.ndim == 2 and len(given) == 1 else given
        terminate = action.get("terminate")
        command = np.append(given[:6], self._gripper(given, ours=terminate is not None))
        seen = self._world.step(command, terminate is True)
        self._succeeded |= seen.success
        self._recorder.record_video(seen.image)
        self._recorder.record_step(success=seen.success, done=seen.done)
        return StepResult(seen, float(seen.success), seen.done, {"success": seen.success, **seen.stats})

    def make_obs(self, raw_obs: Seen, task: dict[str, Any]) -> dict[str, Any]:
        """For a model server."""
        state = {"states": raw_obs.state} if self._send_state else {}
        said = {"task_description": raw_obs.instruction, "task_name": self._task_name, "robot": self.get_tasks()[0]["robot"]}
        return {"images": {"primary": raw_obs.image}, **said, **state}

    def check_done(self, step_result: StepResult) -> bool:
        """At the step limit; with ``early_stop`` also at the first success."""
        return step_result.done or (self._success_mode == "early_stop" and step_result.info.get("success") is True)

    def get_step_result(self, step_result: StepResult) -> dict[str, Any]:
        """The verdict."""
        last = bool(step_result.info.get("success"))
        return {"success": self._succeeded if self._success_mode == "accumulate" else last, "episode": self._spec.id}

    def get_metadata(self) -> dict[str, Any]:
        """What a record of vla-eval's carries."""
        return {**self._meta, "max_steps": max(spec.max_steps for spec in self._plan), "episodes": len(self._plan)}

    def get_action_spec(self) -> dict[str, DimSpec]:
        """What is taken."""
        rotation = DimSpec("rotation", 3, "axis_angle", (-3.15, 3.15), accepts=frozenset({"axis_angle", "euler_xyz"}))
        return {"position": POSITION_DELTA, "rotation": rotation, "gripper": DimSpec("gripper", 1, "raw", accepts=_ANY)}

    def get_observation_spec(self) -> dict[str, DimSpec]:
        """What is sent."""
        return {"primary": IMAGE_RGB, "language": LANGUAGE} | ({"state": RAW} if self._send_state else {})

    def get_hold_action(self, last_action: dict[str, Any] | None) -> dict[str, Any]:
        """No motion; a WidowX's gripper stays as it was told last."""
        hold = np.zeros(7)
        if last_action is not None and not self._google:
            hold[6] = np.asarray(last_action["actions"], np.float64).reshape(-1, 7)[0, 6]
        return {"actions": hold}

    def cleanup(self) -> None:
        """Free the scene."""
        if self._world is not None:
            self._world.close()
            self._world = None

    def _gripper(self, given: np.ndarray[Any, np.dtype[np.float64]], ours: bool) -> float:
        """The controller's number for what a server sent."""
        if given.shape != (7,):
            raise ValueError(f"an action must be 7 numbers, not of shape {given.shape}")
        mode = self._gripper_mode or ("command" if ours else "sticky" if self._google else "binary")
        if mode == "command":
            return float(given[6])
        if mode == "binary":
            return 1.0 if given[6] > OPEN_ABOVE else -1.0
        command = 1.0 - 2.0 * float(given[6])
        if abs(command) > STICKY_ABOVE and self._held is None:
            self._held = command
        if self._held is None:
            return command
        self._repeats, command = self._repeats + 1, self._held
        if self._repeats == STICKY_STEPS:
            self._held, self._repeats = None, 0
        return command


_ANY = frozenset(
    {"raw", "binary_close_positive", "binary_close_negative", "continuous_01", "binary_close_01"}
)  # fmt: skip
