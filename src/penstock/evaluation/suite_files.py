"""Suites: frozen, content-addressed files of items that a checkpoint is examined on.

The held-out suite that gates a turn is the trusted one of its route: `held-out/ROUTE`, frozen only from the test split of a turn
that was released (or of a bootstrap set), so that a corrupted window cannot grade itself. The route's first turn has no such
judge and is examined on its own test split, under a name of its own, which never becomes the trusted one unless it is released.
"""

import os
import shutil
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from penstock.errors import BadInputError, ConflictError, EmptySelectionError, StorageError
from penstock.records.dataset import DatasetKind, DatasetVersion
from penstock.records.evaluation import Suite
from penstock.records.ids import content_hash, digest
from penstock.registry.registry import Registry

ITEMS = "items.jsonl"
TEST = "test.jsonl"

ItemType = TypeVar("ItemType")


class SuiteKind(StrEnum):
    """How items are scored."""

    OFF_POLICY = "off-policy"  # logged events, weighted by how likely the checkpoint makes them
    EXACT_MATCH = "exact-match"  # prompts with the one right answer
    DETECTION = "detection"  # rows of which a classifier is to find the positives at a fixed false-positive rate


class EventItem(Struct, frozen=True, kw_only=True):
    """One logged event."""

    item_id: str
    prompt: list[dict[str, Any]]
    completion: str
    reward: float
    behaviour_logprob: float  # natural log, of the whole completion, under the policy that gave it
    tokens: int | None = None  # that it was sampled as; None where that was not logged
    finish_reason: str = "stop"
    user: str
    interaction_id: str | None = None
    slice: str = "all"


class ExactItem(Struct, frozen=True, kw_only=True):
    """One prompt and the only answer that counts."""

    item_id: str
    prompt: list[dict[str, Any]]
    expected: str
    max_tokens: int = 64
    slice: str = "all"


class TabularItem(Struct, frozen=True, kw_only=True):
    """One row that a classifier was asked about, and what came of it."""

    item_id: str
    features: dict[str, float | bool | None]
    label: float  # 0 to 1
    weight: float = 1.0
    user: str
    interaction_id: str | None = None
    slice: str = "all"


class _TabularTestRow(Struct, frozen=True, kw_only=True):
    """What is read of a row of a tabular dataset."""

    row_hash: str
    features: dict[str, float | bool | None]
    label: float
    weight: float = 1.0
    user: str
    interaction_id: str | None = None
    started_at: datetime


class _TestRow(Struct, frozen=True, kw_only=True):
    """What is read of a row of an events dataset."""

    row_hash: str
    prompt: list[dict[str, Any]]
    completion: str
    reward: float
    behaviour_logprob: float | None = None
    token_logprobs: list[float] | None = None
    finish_reason: str | None = None
    user: str
    interaction_id: str | None = None


def trusted_suite_name(route: str) -> str:
    """The name of the route's trusted held-out suite."""
    return f"held-out/{route}"


def own_suite_name(route: str, turn_id: str) -> str:
    """The name of the suite that a turn without a trusted one is examined on."""
    return f"held-out/{route}/{turn_id}"


def freeze_held_out(
    registry: Registry,
    artifacts: Path,
    name: str,
    dataset: DatasetVersion,
    at: datetime,
    most_items: int | None = None,
    since: datetime | None = None,
) -> Suite:
    """A suite of the test split of an events or a tabular dataset, or of a fixed sample of it.

    Of a tabular one `since` takes only what happened from then on.

    Raises BadInputError, EmptySelectionError.
    """
    if dataset.kind == DatasetKind.TABULAR:
        return _freeze(registry, artifacts, name, SuiteKind.DETECTION, _tabular_items(dataset, since)[:most_items], at)
    if dataset.kind != DatasetKind.EVENTS:
        raise BadInputError(f"Dataset {dataset.dataset_version_id!r} is {dataset.kind}; a held-out suite is made of events.")
    rows = _read(Path(dataset.uri) / TEST, _TestRow)
    items = [_event_item(row, row.behaviour_logprob) for row in rows if row.behaviour_logprob is not None]
    if not items:
        raise EmptySelectionError(
            f"The test split of {dataset.dataset_version_id!r} has {len(rows)} rows and none with a log-probability; "
            "a held-out suite needs some. Let the gateway capture log-probabilities, or take more traffic."
        )
    items.sort(key=lambda item: item.item_id)  # a hash, so the first so many are a random sample
    return _freeze(registry, artifacts, name, SuiteKind.OFF_POLICY, items[:most_items], at)


def adopt_suite(registry: Registry, artifacts: Path, name: str, suite: Suite, at: datetime) -> Suite:
    """The items of a held-out suite under another name, such as the route's trusted one."""
    if suite.kind == SuiteKind.DETECTION:
        return _freeze(registry, artifacts, name, SuiteKind.DETECTION, read_tabular_items(Path(suite.uri)), at)
    return _freeze(registry, artifacts, name, SuiteKind.OFF_POLICY, read_event_items(Path(suite.uri)), at)


def freeze_exact_match(registry: Registry, artifacts: Path, name: str, items: Sequence[ExactItem], at: datetime) -> Suite:
    """A suite of prompts with their right answers. Raises EmptySelectionError."""
    if not items:
        raise EmptySelectionError(f"The suite {name!r} has no items.")
    return _freeze(registry, artifacts, name, SuiteKind.EXACT_MATCH, items, at)


def exact_item(prompt: Sequence[dict[str, Any]], expected: str, *, max_tokens: int = 64, slice_name: str = "all") -> ExactItem:
    """An item named by its content."""
    item_id = content_hash(msgspec.json.encode([list(prompt), expected], order="sorted"))
    return ExactItem(item_id=item_id, prompt=list(prompt), expected=expected, max_tokens=max_tokens, slice=slice_name)


def read_event_items(folder: Path) -> list[EventItem]:
    """The items of an off-policy suite."""
    return _read(folder / ITEMS, EventItem)


def read_exact_items(folder: Path) -> list[ExactItem]:
    """The items of an exact-match suite."""
    return _read(folder / ITEMS, ExactItem)


def read_tabular_items(folder: Path) -> list[TabularItem]:
    """The items of a detection suite."""
    return _read(folder / ITEMS, TabularItem)


def _tabular_items(dataset: DatasetVersion, since: datetime | None) -> list[TabularItem]:
    """The test split, in an order of which the first so many are a random sample."""
    read = _read(Path(dataset.uri) / TEST, _TabularTestRow)
    rows = sorted((row for row in read if since is None or row.started_at >= since), key=lambda row: row.row_hash)
    positives = sum(row.label > 0.5 for row in rows)
    if positives in (0, len(rows)):
        raise EmptySelectionError(
            f"The test split of {dataset.dataset_version_id!r} has {len(rows)} rows and {positives} positives; a detection suite "
            "needs some of each. Take more traffic, or hold more users out."
        )
    return [
        TabularItem(
            item_id=row.row_hash,
            features=row.features,
            label=row.label,
            weight=row.weight,
            user=row.user,
            interaction_id=row.interaction_id,
        )
        for row in rows
    ]


def _event_item(row: _TestRow, behaviour_logprob: float) -> EventItem:
    return EventItem(
        item_id=row.row_hash,
        prompt=row.prompt,
        completion=row.completion,
        reward=row.reward,
        behaviour_logprob=behaviour_logprob,
        tokens=len(row.token_logprobs) if row.token_logprobs is not None else None,
        finish_reason=row.finish_reason or "stop",
        user=row.user,
        interaction_id=row.interaction_id,
    )


def _freeze(registry: Registry, artifacts: Path, name: str, kind: SuiteKind, items: Sequence[Struct], at: datetime) -> Suite:
    content = b"".join(msgspec.json.encode(item, order="sorted") + b"\n" for item in items)
    suite_id = "su_" + digest(name, kind, content_hash(content))[:16]
    folder = artifacts / "suites" / suite_id
    _write(folder, content)
    return registry.suites.put(
        Suite(
            suite_id=suite_id,
            name=name,
            kind=kind,
            content_hash=content_hash(content),
            uri=str(folder),
            items=len(items),
            created_at=at,
        )
    )


def _write(folder: Path, content: bytes) -> None:
    """Write aside and rename, so that a folder under its name is whole."""
    if (folder / ITEMS).exists():
        if (folder / ITEMS).read_bytes() != content:
            raise ConflictError(f"{folder / ITEMS} does not hold what its name says; somebody has changed a frozen suite.")
        return
    draft = folder.with_name(folder.name + ".tmp")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        with (draft / ITEMS).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(folder)
    except OSError as error:
        raise StorageError(
            f"The suite {folder} cannot be written: {error.strerror}. Free the disk and freeze it again."
        ) from error


def _read(path: Path, shape: type[ItemType]) -> list[ItemType]:
    decoder = msgspec.json.Decoder(shape)
    try:
        with path.open("rb") as file:
            return [decoder.decode(line) for line in file]
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise BadInputError(f"{path} holds a line that is no {shape.__name__}: {error}.") from error
