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
    policy_args: dict[str, PolicyArgument] = Field(default={}, description="NAME=VALUE for the policy, may be repeated.")
    assets: str | None = Field(
        default=None,
        description="Asset pack folders, separated by commas, searched in order. What none of them holds is a stand-in.",
    )
    assets_fallback: bool = Field(
        default=False, description="Where a pack's file is broken, take the next pack or the stand-in; the run records which."
    )
    workers: int | None = Field(
        default=None, ge=1, description="Simulator processes (of each replica of the policy); default: one a core."
    )
    per_worker: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Episodes that a simulator process holds at once, so that it steps one while the policy looks at another; "
        "default: 2 for a policy that needs images, else 1.",
    )
    batch: int | None = Field(
        default=None,
        ge=1,
        le=65_536,
        description="Observations that the policy is asked about at a time; default: what it prefers, or whatever is ready.",
    )
    gpus: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="GPUs to use, each with a replica of the policy and simulator workers of its own; default: all that are "
        "visible, if the policy uses one.",
    )
    replicas: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Copies of the policy, each with simulator workers of its own; default: one a GPU. Several may share one.",
    )
    cluster: str | None = Field(
        default=None,
        min_length=1,
        description="Play on the nodes of a Ray cluster: the address of its head, such as 10.0.0.1:6379, or local (a Ray of "
        "this machine's own). Needs the extra ray.",
    )
    video: str = Field(
        default="none",
        description="all, failures, first:N (of each task) or none (default; demo: all). policy-view, alone or after one of "
        "them and a comma, also shows what the policy saw and meant.",
    )
    record: Literal["none", "lerobot", "lerobot-lossless"] = Field(
        default="none",
        description="lerobot keeps what the policy saw and did as a LeRobot dataset (dataset/ of the run), lerobot-lossless "
        "with images to the bit, or none (default). Needs the extra datasets.",
    )
    keep: Keep = Field(
        default="all", description="Of which episodes --record keeps the frames: all (default) or successes alone."
    )
    report_to: Literal["none", "wandb", "trackio"] = Field(
        default="none",
        description="Also log the run's rates, its table and some videos to wandb or trackio, or none (default). Needs the "
        "extra of that name.",
    )
    rt: Literal["auto", "trace", "fast", "raster"] = Field(
        default="auto",
        description="How drawer episodes are rendered, for which the original traces rays: trace, fast (fewer rays and a "
        "denoiser, on a GPU), raster (the table says either), or auto (default): trace where a GPU renders. On a CPU a traced "
        "image takes minutes.",
    )
    world: str = Field(
        default="simpler-eval",
        min_length=1,
        description="simpler-eval (default) is our own; simpler-env is the original simulator, in an interpreter that has it.",
    )
    world_python: str | None = Field(
        default=None,
        description="Interpreter of --world simpler-env, such as env/bin/python; default: that of SIMPLER_ENV_PYTHON, else our "
        "own.",
    )
    watchdog: float = Field(
        default=WATCHDOG_SECONDS,
        gt=0,
        allow_inf_nan=False,
        description=f"Seconds a simulator process may be silent before it is replaced, and a call of the policy before it is "
        f"interrupted (the first of each kind: ten times as long); default {WATCHDOG_SECONDS:g}.",
    )
    render_device: str | None = Field(
        default=None, description="GPU that renders, such as cuda:1; default: the first. The policy's, too, unless --device."
    )
    repeat: int = Field(
        default=1,
        ge=1,
        le=10_000,
        description="Play the plan N times, for policies that sample; tables give mean and spread. Default 1.",
    )
    no_actions: bool = Field(default=False, description="Do not keep the actions played (actions/<id>.npy, for replay).")
    stop_after: int = Field(
        default=8, ge=1, description="Stop after N episodes in a row were lost to the same fault of the policy; default 8."
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
