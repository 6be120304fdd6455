"""The chain of ids both ways: from a checkpoint to the requests that shaped it, and from a user to the checkpoints they touched.

A checkpoint is shaped by the set it was trained on and by every set behind its parents.
"""

from collections.abc import Iterable

import ibis
from msgspec import Struct

from penstock.lake.lake import Lake
from penstock.lake.selection import among
from penstock.records.training import Checkpoint
from penstock.registry.registry import Registry


class Shaped(Struct, frozen=True, kw_only=True):
    """A checkpoint and how many rows of one user's are in the sets behind it."""

    checkpoint_id: str
    dataset_version_ids: list[str]
    rows: int


def datasets_behind(registry: Registry, checkpoint_id: str) -> list[str]:
    """The sets that shaped this checkpoint, its own first."""
    checkpoints = {checkpoint.checkpoint_id: checkpoint for checkpoint in registry.checkpoints.list()}
    registry.checkpoints.get(checkpoint_id)
    return _datasets_behind(checkpoints, checkpoint_id)


def requests_behind(lake: Lake, registry: Registry, checkpoint_id: str, user_id: str | None = None) -> ibis.Table:
    """The interactions that shaped this checkpoint, each with its row and labels; those of one user if asked."""
    rows = among(lake.current("dataset_rows"), "dataset_version_id", datasets_behind(registry, checkpoint_id))
    rows = rows.select("dataset_version_id", "row_hash", "split", "label_ids", interaction_id=rows.interaction_ids.unnest())
    interactions = lake.current("interactions").select(
        "interaction_id", "request_id", "trace_id", "span_id", "user_id", "session_id", "started_at"
    )
    joined = rows.inner_join(interactions, "interaction_id")
    return joined if user_id is None else joined.filter(joined.user_id == user_id)


def checkpoints_touched(lake: Lake, registry: Registry, user_id: str) -> list[Shaped]:
    """Every checkpoint in whose sets this user (the keyed hash) has rows."""
    interactions = lake.current("interactions")
    theirs = interactions.filter(interactions.user_id == user_id).select("interaction_id")
    rows = lake.current("dataset_rows")
    pairs = rows.select("dataset_version_id", "row_hash", interaction_id=rows.interaction_ids.unnest())
    found = pairs.semi_join(theirs, "interaction_id").select("dataset_version_id", "row_hash").distinct()
    counts = {
        row["dataset_version_id"]: row["rows"]
        for row in found.group_by("dataset_version_id").aggregate(rows=found.count()).to_pyarrow().to_pylist()
    }
    checkpoints = {checkpoint.checkpoint_id: checkpoint for checkpoint in registry.checkpoints.list()}
    shaped = ((name, [set_id for set_id in _datasets_behind(checkpoints, name) if set_id in counts]) for name in checkpoints)
    return [
        Shaped(checkpoint_id=name, dataset_version_ids=sets, rows=sum(counts[set_id] for set_id in sets))
        for name, sets in shaped
        if sets
    ]


def _datasets_behind(checkpoints: dict[str, Checkpoint], checkpoint_id: str | None) -> list[str]:
    return list(dict.fromkeys(_walk(checkpoints, checkpoint_id)))


def _walk(checkpoints: dict[str, Checkpoint], checkpoint_id: str | None) -> Iterable[str]:
    seen: set[str] = set()
    while checkpoint_id is not None and checkpoint_id not in seen and checkpoint_id in checkpoints:
        seen.add(checkpoint_id)
        checkpoint = checkpoints[checkpoint_id]
        if checkpoint.dataset_version_id is not None:
            yield checkpoint.dataset_version_id
        checkpoint_id = checkpoint.parent_checkpoint_id
