"""``run.json`` as a run begins."""

from __future__ import annotations

from collections.abc import Sequence

from eval.backends.selection import ORIGINAL, OWN
from eval.backends.simpler_env.backend import worker_code
from eval.episode import EpisodeSpec
from eval.plan.placements import placements_of
from eval.plan.shards import parse_shard
from eval.records.folder import plan_hash
from eval.records.header import CodeRecord, Rendered, RunHeader, RunIdentity, ShardRecord, WorldIdentity
from eval.records.options import RunOptions
from eval.records.provenance import new_session
from eval.records.videos import VideoRule
from eval.rollout.policy_calls import PolicyNeeds
from eval.tasks.loading import task_digest, user_task_text
from policies.base import PolicyDescription, PolicyIdentity


def new_header(
    plan: Sequence[EpisodeSpec],
    options: RunOptions,
    needs: PolicyNeeds,
    world: WorldIdentity,
    description: PolicyDescription,
    folder: str | None = None,
    code: str | None = None,
) -> RunHeader:
    """``run.json`` as a run of these episodes begins.

    Args:
        plan: what is played.
        options: how.
        needs: of the policy.
        world: where.
        description: what the policy said of itself.
        folder: what relative paths in the options are relative to.
        code: hash of the policy's code, if it is shipped with us (:func:`eval.records.code.shipped_code_hash`).

    Raises:
        UserError: the files of the plan cannot be read.
    """
    record = CodeRecord(policy=code, worker=worker_code() if options.world == ORIGINAL else None)
    return RunHeader(
        identity=identity_of(plan, options, world, description.identity, needs.image),
        policy=description,
        options=options,
        sessions=(new_session(options, folder).model_copy(update={"policy_code": description.code, "code": record}),),
        rendered=_rendered(needs, VideoRule.parse(options.video), options.record != "none"),
        plan_hash=plan_hash(plan),
        episodes=len(plan),
        repeats=options.repeat,
        seeds=tuple(sorted({spec.seed for spec in plan})),
    )


def identity_of(
    plan: Sequence[EpisodeSpec], options: RunOptions, world: WorldIdentity, policy: PolicyIdentity, looks: bool
) -> RunIdentity:
    """What decides the numbers of a run; ``looks``: whether the policy needs images, for what nobody looks at decides nothing.

    Raises UserError where the files of the plan cannot be read.
    """
    return RunIdentity(
        world=world if looks else world.model_copy(update={"rendering": None}),
        assets=_assets_identity(plan, options),
        tasks={name: task_digest(text) for name, text in user_tasks_of(plan).items()},
        placements=placements_of(plan),
        policy=policy,
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


def _rendered(needs: PolicyNeeds, videos: VideoRule, recorded: bool) -> Rendered:
    """Of which episodes images are rendered: a policy that needs none is played without."""
    if needs.image or recorded:
        return "all episodes"
    return "nothing" if videos.kind == "none" else "filmed episodes"
