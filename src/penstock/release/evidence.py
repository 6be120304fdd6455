"""What a canary has shown so far, read from the lake: per arm, sums over users of rewards, errors and requests.

Only requests that the split decided count: those of the release's own arms since it began, of the exposures that count as
users' traffic. A reward not known yet is left out, never taken for a bad one. The user, as the split knew it, is the unit.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import ibis
from ibis import _

from penstock.lake.lake import Lake
from penstock.records.release import Arm, Release
from penstock.release.gate import ArmEvidence, CanaryEvidence
from penstock.statistics.cluster import ClusterSums

REWARD_SCHEMA = "response-quality"
REWARD_DIMENSION = "reward"


def read_evidence(lake: Lake, release: Release, exposures: Sequence[str], now: datetime) -> CanaryEvidence:
    """The evidence for a release that is or was in canary, as known now."""
    began = release.canary_at or now
    days = (began.date(), now.date())
    interactions, labels = lake.current("interactions", dates=days), lake.current("labels", dates=days)
    sums = arm_sums(interactions, labels, release, began, exposures)
    arms = {row["arm"]: _arm_evidence(row) for row in sums.to_pyarrow().to_pylist()}
    return CanaryEvidence(
        stable=arms.get(Arm.STABLE, ArmEvidence()),
        candidate=arms.get(Arm.CANDIDATE, ArmEvidence()),
        candidate_share=release.candidate_share,
        elapsed_s=(now - began).total_seconds(),
        p_value=release.p_value,
    )


def arm_sums(
    interactions: ibis.Table, labels: ibis.Table, release: Release, began: datetime, exposures: Sequence[str]
) -> ibis.Table:
    """One row per arm."""
    users = user_sums(interactions, current_rewards(labels, began), release, began, exposures)
    rated = users.rated > 0
    return users.group_by("arm").aggregate(
        users=_.count(),
        requests=_.requests.sum(),
        errors=_.errors.sum(),
        requests_squared=(_.requests * _.requests).sum(),
        errors_squared=(_.errors * _.errors).sum(),
        errors_requests=(_.errors * _.requests).sum(),
        rated_users=rated.sum(),
        reward=_.reward.sum(),
        rated=_.rated.sum(),
        reward_squared=(_.reward * _.reward).sum(),
        rated_squared=(_.rated * _.rated).sum(),
        reward_rated=(_.reward * _.rated).sum(),
    )


def user_sums(
    interactions: ibis.Table, rewards: ibis.Table, release: Release, began: datetime, exposures: Sequence[str]
) -> ibis.Table:
    """One row per arm and user: how many requests, errors, known rewards, and their sum."""
    split = interactions.filter(
        _.started_at >= began,
        _.exposure.isin(list(exposures)),
        _.arm_probability < 1.0,  # else an edge answered before it knew of the split
        ((_.release_arm == Arm.CANDIDATE.value) & (_.checkpoint_id == release.checkpoint_id))
        | ((_.release_arm == Arm.STABLE.value) & (_.checkpoint_id == release.stable_checkpoint_id)),
    ).select(
        "interaction_id",
        arm=_.release_arm,
        user=ibis.coalesce(_.user_id, _.session_id, _.request_id, _.interaction_id),
        failed=_.error_type.notnull().cast("int64"),
    )
    joined = split.left_join(rewards, "interaction_id")
    return joined.group_by("arm", "user").aggregate(
        requests=_.count(),
        errors=_.failed.sum(),
        rated=_.value.count(),
        reward=_.value.sum().fill_null(0.0),
    )


def current_rewards(labels: ibis.Table, began: datetime) -> ibis.Table:
    """The reward of each interaction that has one: of the labels that none supersedes, the one known last."""
    since = labels.filter(labels.started_at >= began)
    superseded = since.filter(since.supersedes.notnull()).select(label_id=since.supersedes)
    standing = since.anti_join(superseded, "label_id")
    of_reward = standing.filter(
        standing["schema"] == REWARD_SCHEMA, standing.dimension == REWARD_DIMENSION, standing.value.notnull()
    )
    return of_reward.group_by("interaction_id").aggregate(value=_.value.argmax(_.known_at))


def _arm_evidence(row: dict[str, Any]) -> ArmEvidence:
    return ArmEvidence(
        users=row["users"],
        requests=row["requests"],
        reward=ClusterSums(
            units=row["rated_users"],
            total=row["reward"],
            count=row["rated"],
            total_squared=row["reward_squared"],
            count_squared=row["rated_squared"],
            product=row["reward_rated"],
        ),
        errors=ClusterSums(
            units=row["users"],
            total=row["errors"],
            count=row["requests"],
            total_squared=row["errors_squared"],
            count_squared=row["requests_squared"],
            product=row["errors_requests"],
        ),
    )
