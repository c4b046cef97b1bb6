"""How episodes are played, as one object: what the command line takes, ``eval.run`` gets, ``run.json`` keeps and
``--resume`` reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from eval.assets.options import assets_text, chosen_assets
from eval.errors import UserError
from eval.options import Excludes, Needs, Options, Rule, read_options, refuse_idle

if TYPE_CHECKING:
    from eval.episode import EpisodeSpec

WATCHDOG_SECONDS = 300.0
PolicyArgument = str | bool | int | float | None
Keep = Literal["all", "successes"]
"""From the command line always text."""
PLACES = ("gpus", "replicas", "cluster", "render_device")
"""Options that say on which devices and machines a session is played."""
MOST_PLAYED = 1_000_000
"""Episodes of a run, repeats included."""


class RunOptions(Options):
    """How a plan is played. The descriptions of the fields are the help texts of the command line."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Needs("assets_fallback", ("assets",), "only the file of a pack can be broken"),
        Excludes("cluster", ("render_device",), "every node has devices of its own"),
        Excludes("fail_on_error", ("stop_after",), "the run stops at the first fault"),
        Needs("keep", ("record",), "no frames are recorded"),
    )

    policy: str = Field(
        default="oracle",
        min_length=1,
        description="oracle (default), random, replay, any installed policy, module:Class, path/to/file.py:Class, or a policy "
        "server: vla-eval://HOST:PORT, openpi://HOST:PORT, http://HOST:PORT/act.",
    )
    policy_args: dict[str, PolicyArgument] = Field(
        default={}, description="NAME=VALUE argument of the policy; may be repeated."
    )
    assets: str | None = Field(
        default=None,
        description="Asset pack folders, separated by commas, searched in order. Files missing from all of them are "
        "replaced by stand-ins.",
    )
    assets_fallback: bool = Field(
        default=False, description="If a file of a pack is broken, use the next pack or the stand-in; the run records which."
    )
    workers: int | None = Field(
        default=None, ge=1, description="Simulator processes (per policy replica); default: one per core."
    )
    per_worker: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Episodes per simulator process, so that it can step one while the policy processes another; default:"
        " 2 for a policy that needs images, else 1.",
    )
    batch: int | None = Field(
        default=None,
        ge=1,
        le=65_536,
        description="Batch size of the policy; default: its preferred one, or whatever is ready.",
    )
    gpus: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Number of GPUs, each with its own policy replica and simulator workers; default: all visible ones, "
        "if the policy uses a GPU.",
    )
    replicas: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Copies of the policy, each with its own simulator workers; default: one per GPU. Several may share a GPU.",
    )
    cluster: str | None = Field(
        default=None,
        min_length=1,
        description="Run on a Ray cluster: the address of its head node, such as 10.0.0.1:6379, or local (Ray on this "
        "machine only). Needs the extra ray.",
    )
    video: str = Field(
        default="none",
        description="all, failures, first:N (of each task) or none (default; demo: all). policy-view, alone or after one "
        "of these and a comma, also shows the model's input images and raw action.",
    )
    record: Literal["none", "lerobot", "lerobot-lossless"] = Field(
        default="none",
        description="lerobot records observations and actions as a LeRobot dataset (dataset/ in the run folder), "
        "lerobot-lossless with bit-exact images, or none (default). Needs the extra datasets.",
    )
    keep: Keep = Field(default="all", description="Episodes that --record keeps: all (default) or successes only.")
    report_to: Literal["none", "wandb", "trackio"] = Field(
        default="none",
        description="Also log success rates, the table and some videos to wandb or trackio, or none (default). Needs the "
        "extra of that name.",
    )
    rt: Literal["auto", "trace", "fast", "raster"] = Field(
        default="auto",
        description="Rendering of drawer episodes, which the original ray traces: trace, fast (fewer rays and a denoiser,"
        " on a GPU), raster (the table states either), or auto (default): trace on a GPU. On a CPU a "
        "ray-traced image takes minutes.",
    )
    world: str = Field(
        default="simpler-eval",
        min_length=1,
        description="Simulator: simpler-eval (default) or simpler-env, the original, in an interpreter that has it installed.",
    )
    world_python: str | None = Field(
        default=None,
        description="Python interpreter for --world simpler-env, such as env/bin/python; default: SIMPLER_ENV_PYTHON, "
        "else the current one.",
    )
    watchdog: float = Field(
        default=WATCHDOG_SECONDS,
        gt=0,
        allow_inf_nan=False,
        description=f"Timeout in seconds after which a simulator process is replaced and a policy call is interrupted (the "
        f"first of each kind: ten times as long); default {WATCHDOG_SECONDS:g}.",
    )
    render_device: str | None = Field(
        default=None,
        description="GPU used for rendering, such as cuda:1; default: the first. Also used by the policy, unless --device"
        " is given.",
    )
    repeat: int = Field(
        default=1,
        ge=1,
        le=10_000,
        description="Run the plan N times, for stochastic policies; tables show mean and spread. Default 1.",
    )
    no_actions: bool = Field(default=False, description="Do not store the executed actions (actions/<id>.npy, for replay).")
    stop_after: int = Field(
        default=8, ge=1, description="Stop after N episodes in a row are lost to the same policy error; default 8."
    )
    fail_on_error: bool = Field(default=False, description="Stop at the first episode without a verdict.")
    policy_changed: bool = Field(
        default=False, description="Continue a run although the policy's code has changed; every title says so."
    )
    success: Literal["last", "any"] = Field(
        default="last",
        description="Success is the flag at the last step (last, as in the protocol; default) or at any step (any).",
    )
    retry_errored: bool = Field(default=False, description="Repeat errored episodes of a continued run.")
    partial: bool = Field(default=False, description="Show success rates for totals even if episodes are missing or errored.")

    @property
    def packs(self) -> str | None:
        """``assets`` with ``assets_fallback`` included: the text that workers get."""
        return assets_text(self.assets, self.assets_fallback)

    @classmethod
    def of(cls, given: Mapping[str, object]) -> RunOptions:
        """The options that a caller gave. Raises UserError for a value that cannot be used or an option without effect."""
        from_environment = ("assets",) if chosen_assets(None) else ()
        refuse_idle(cls.rules, {name for name, value in given.items() if value}, silent=from_environment)
        return read_options(cls, given)

    def check_for(self, plan: Sequence[EpisodeSpec]) -> None:
        """Raises UserError if something that was set explicitly plays no part in this plan, or makes too much of it."""
        self.refuse_too_many(len(plan))
        if self.rt != "auto" and "rt" in self.model_fields_set and not any(spec.shader == "rt" for spec in plan):
            raise UserError(
                f"--rt {self.rt} has no effect: the original traces rays in no episode of this plan (in drawer tasks it does); "
                "leave it out."
            )

    def refuse_too_many(self, episodes: int) -> None:
        """Raises UserError for more repeats of a plan than one run keeps track of."""
        if self.repeat * episodes > MOST_PLAYED:
            raise UserError(
                f"--repeat {self.repeat} of {episodes} episodes are too many for one run (at most {MOST_PLAYED:,} in all)."
            )

    def continued(self, given: RunOptions) -> RunOptions:
        """Those of a further session of the same run: what ``given`` sets explicitly, else ours.

        ``policy``, ``assets`` and ``world`` stay; flags such as ``retry_errored`` are the wish of one session. Where a session
        is played is said as a whole: what names GPUs, replicas or a cluster now takes the place of all that did before.
        """
        changed = given.model_fields_set - {"policy", "policy_args", "assets", "assets_fallback", "world"}
        once = {name: getattr(given, name) for name in ("retry_errored", "partial", "policy_changed", "fail_on_error")}
        places = dict.fromkeys(PLACES, None) if changed & set(PLACES) else {}
        return self.model_copy(update=places | {name: getattr(given, name) for name in changed} | once)
