"""DatasetVersion: a frozen, content-addressed training set; DatasetRow: where one of its rows came from."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class DatasetKind(StrEnum):
    """What the rows look like."""

    SFT = "sft"  # prompt, completion
    KTO = "kto"  # prompt, completion, label
    EVENTS = "events"  # prompt, completion, reward, behaviour_logprob, checkpoint_id
    TABULAR = "tabular"  # features, label from 0 to 1, weight


class Split(StrEnum):
    """Which side of the split a user is on."""

    TRAIN = "train"
    TEST = "test"


class DatasetVersion(Struct, frozen=True, kw_only=True):
    """One row of the registry's `dataset_versions`; its files lie under `uri` with the manifest written last."""

    dataset_version_id: str  # "d_" and the first 16 hex digits of content_hash
    name: str
    kind: str  # a DatasetKind
    content_hash: str
    uri: str
    selection: str  # JSON: the rule that chose the rows, with the time as of which it read
    train_rows: int
    test_rows: int
    known_at: datetime  # as of which the lake was read
    created_at: datetime
    rebuildable: bool = True


class DatasetRow(Struct, frozen=True, kw_only=True):
    """One row of the lake's `dataset_rows`."""

    dataset_version_id: str
    row_hash: str
    split: str
    weight: float
    interaction_ids: list[str]
    label_ids: list[str]
    started_at: datetime  # of the first interaction
    known_at: datetime
