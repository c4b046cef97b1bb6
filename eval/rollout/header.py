"""``run.json`` as a run begins."""

from __future__ import annotations

from collections.abc import Sequence

from eval.backends.selection import ORIGINAL, OWN
from eval.backends.simpler_env.backend import worker_code
from eval.episode import EpisodeSpec
from eval.plan.shards import parse_shard
from eval.records.code import shipped_code_hash
from eval.records.folder import plan_hash
from eval.records.header import CodeRecord, Rendered, RunHeader, RunIdentity, ShardRecord, WorldIdentity
from eval.records.options import RunOptions
from eval.records.provenance import new_session
from eval.records.videos import VideoRule
from eval.rollout.policy_calls import PolicyNeeds
from eval.tasks.loading import task_digest, user_task_text
from policies.base import Policy, PolicyDescription
from policies.registry import describe


def new_header(
    plan: Sequence[EpisodeSpec],
    options: RunOptions,
    player: Policy,
    world: WorldIdentity,
    description: PolicyDescription | None = None,
    folder: str | None = None,
) -> RunHeader:
    """``run.json`` as a run of these episodes begins.

    Args:
        plan: what is played.
        options: how.
        player: by whom.
        world: where.
        description: what the policy said of itself; None: it is asked.
        folder: what relative paths in the options are relative to.

    Raises:
        UserError: the policy does not describe itself properly, or the files of the plan cannot be read.
    """
    description = description or describe(player, options.policy, options.policy_args)
    if not PolicyNeeds.of(player).image:
        world = world.model_copy(update={"rendering": None})  # what nobody looks at decides nothing
    code = CodeRecord(policy=shipped_code_hash(player), worker=worker_code() if options.world == ORIGINAL else None)
    return RunHeader(
        identity=RunIdentity(
            world=world,
            assets=_assets_identity(plan, options),
            tasks={name: task_digest(text) for name, text in user_tasks_of(plan).items()},
            policy=description.identity,
        ),
        policy=description,
        options=options,
        sessions=(new_session(options, folder).model_copy(update={"policy_code": description.code, "code": code}),),
        rendered=_rendered(player, VideoRule.parse(options.video)),
        plan_hash=plan_hash(plan),
        episodes=len(plan),
        repeats=options.repeat,
        seeds=tuple(sorted({spec.seed for spec in plan})),
    )


def shard_record(plan: Sequence[EpisodeSpec], shard: str, options: RunOptions) -> ShardRecord:
    """Which part of ``plan`` a run is."""
    number, of = parse_shard(shard)
    assets = _assets_identity(plan, options)
    return ShardRecord(shard=f"{number}/{of}", episodes=len(plan), plan_hash=plan_hash(plan), assets=assets)


def user_tasks_of(plan: Sequence[EpisodeSpec]) -> dict[str, str]:
    """Text of every task file of the user's that the plan was made with, by name."""
    return {task: text for task in sorted({spec.task for spec in plan}) if (text := user_task_text(task)) is not None}


def _assets_identity(plan: Sequence[EpisodeSpec], options: RunOptions) -> str | None:
    """Digest of the files that our own world would load; other worlds read files of their own."""
    if options.world != OWN:
        return None
    from eval.assets.identity import assets_identity

    return assets_identity(plan, options.packs)


def _rendered(player: Policy, videos: VideoRule) -> Rendered:
    """Of which episodes images are rendered: a policy that needs none is played without."""
    if PolicyNeeds.of(player).image:
        return "all episodes"
    return "nothing" if videos.kind == "none" else "filmed episodes"
