"""How episodes are played, as one object: what the command line takes, ``eval.run`` gets, ``run.json`` keeps and
``--resume`` reads.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from eval.assets.options import assets_text
from task_configs.schema.parsing import StrictModel

WATCHDOG_SECONDS = 300.0


class RunOptions(StrictModel):
    """How a plan is played. The descriptions of the fields are the help texts of the command line."""

    policy: str = Field(
        default="oracle",
        description="oracle (default), random, replay, any installed policy, module:Class, or path/to/file.py:Class.",
    )
    policy_args: dict[str, str] = Field(default={}, description="NAME=VALUE for the policy, may be repeated.")
    assets: str | None = Field(
        default=None,
        description="Asset pack folders, separated by commas, searched in order. What none of them holds is a stand-in.",
    )
    assets_fallback: bool = Field(
        default=False, description="Where a pack's file is broken, take the next pack or the stand-in; the run records which."
    )
    workers: int | None = Field(default=None, description="Simulator processes; default: one a core.")
    video: str = Field(
        default="none",
        description="all, failures, first:N (of each task) or none (default; demo: all). policy-view, alone or after one of "
        "them and a comma, also shows what the policy saw and meant.",
    )
    rt: str = Field(
        default="auto",
        description="How drawer episodes are rendered, for which the original traces rays: trace, raster (the table says so), "
        "or auto (default): trace where a GPU renders. On a CPU a traced image takes minutes.",
    )
    world: str = Field(
        default="simpler-eval",
        description="simpler-eval (default) is our own; simpler-env is the original simulator, in an interpreter that has it.",
    )
    world_python: str | None = Field(
        default=None,
        description="Interpreter of --world simpler-env, such as env/bin/python; default: that of SIMPLER_ENV_PYTHON, else our "
        "own.",
    )
    watchdog: float = Field(
        default=WATCHDOG_SECONDS,
        description=f"Seconds a simulator process may be silent before it is replaced; default {WATCHDOG_SECONDS:g}.",
    )
    render_device: str | None = Field(
        default=None, description="GPU that renders, such as cuda:1; default: the first. The policy's, too, unless --device."
    )
    repeat: int = Field(
        default=1, description="Play the plan N times, for policies that sample; tables give mean and spread. Default 1."
    )
    no_actions: bool = Field(default=False, description="Do not keep the actions played (actions/<id>.npy, for replay).")
    stop_after: int = Field(
        default=8, description="Stop after N episodes in a row were lost to the same fault of the policy; default 8."
    )
    fail_on_error: bool = Field(default=False, description="Stop at the first episode without a verdict.")
    policy_changed: bool = Field(
        default=False, description="Continue a run although the policy's own code has changed; every title says so."
    )
    success: Literal["last", "any"] = Field(
        default="last",
        description="What counts as success: the flag of the last step (last, the protocol's; default) or of any step.",
    )
    retry_errored: bool = Field(default=False, description="Run errored episodes of a continued run again.")
    partial: bool = Field(default=False, description="Give totals a rate although episodes are missing or errored.")

    @property
    def packs(self) -> str | None:
        """``assets`` with ``assets_fallback`` included: the text that workers get."""
        return assets_text(self.assets, self.assets_fallback)

    def continued(self, given: RunOptions) -> RunOptions:
        """Those of a further session of the same run: what ``given`` sets explicitly, else ours.

        ``policy``, ``assets`` and ``world`` stay; flags such as ``retry_errored`` are the wish of one session.
        """
        changed = given.model_fields_set - {"policy", "policy_args", "assets", "assets_fallback", "world"}
        once = {name: getattr(given, name) for name in ("retry_errored", "partial", "policy_changed", "fail_on_error")}
        return self.model_copy(update={name: getattr(given, name) for name in changed} | once)
