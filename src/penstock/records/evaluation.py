"""Evaluation: scores of a checkpoint on a suite, item by item and per slice."""

from datetime import datetime

from msgspec import Struct


class Suite(Struct, frozen=True, kw_only=True):
    """A frozen set of items that a checkpoint can be scored on; a new version is a new suite."""

    suite_id: str
    name: str
    kind: str  # off-policy, exact-match or detection
    content_hash: str
    uri: str
    items: int
    created_at: datetime


class Evaluation(Struct, frozen=True, kw_only=True):
    """One checkpoint's score on one suite, with its 95 % interval and, against the stable one, the difference."""

    evaluation_id: str
    suite_id: str
    checkpoint_id: str
    baseline_checkpoint_id: str | None
    score: float
    score_low: float
    score_high: float
    baseline_score: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    items: int
    passed: bool
    reason: str
    created_at: datetime


class EvaluationItem(Struct, frozen=True, kw_only=True):
    """One row of the lake's `evaluation_items`."""

    evaluation_id: str
    item_id: str
    slice: str
    score: float
    baseline_score: float | None
    interaction_id: str | None
    known_at: datetime
