"""Opening, making and committing to Delta tables at a place, with what deltalake has to be told about it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.transaction import AddAction, RemoveAction

from penstock.lake.place import Place
from penstock.lake.tables import PARTITION
from penstock.lake.transaction_log import COMMIT_TOKEN, FILE_COUNT, TRANSACTION_COUNT, DataFile


def open_delta(path: Place, version: int | None = None) -> DeltaTable:
    """The table at this place, as of now or of a version."""
    return DeltaTable(str(path), version=version, storage_options=path.delta_options)


def create_delta(path: Place, schema: pa.Schema, **options: Any) -> None:
    """Make a table, partitioned by day."""
    DeltaTable.create(str(path), schema, partition_by=[PARTITION], storage_options=path.delta_options, **options)


def commit(
    handle: DeltaTable,
    actions: Sequence[AddAction | RemoveAction],
    *,
    token: str,
    transactions: Mapping[str, int] | None = None,
) -> None:
    """Commit files that come and go, and nothing on the side; the entry's first line says how much of it there has to be."""
    reached = transactions or {}
    handle.create_write_transaction(
        list(actions),
        "append",
        handle.schema(),
        [PARTITION],
        commit_properties=CommitProperties(
            custom_metadata={COMMIT_TOKEN: token, TRANSACTION_COUNT: len(reached), FILE_COUNT: len(actions)},
            app_transactions=[Transaction(app, number) for app, number in reached.items()],
        ),
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
    )
    handle.update_incremental()  # which it does not by itself


def add_action(file: DataFile) -> AddAction:
    """A file that comes."""
    return AddAction(
        path=file.path,
        size=file.size or 0,
        partition_values=file.partition,
        modification_time=time.time_ns() // 1_000_000,
        data_change=file.data_change,
        stats=file.statistics or "",
    )


def remove_action(file: DataFile) -> RemoveAction:
    """A file that goes."""
    return RemoveAction(file.path, file.data_change, time.time_ns() // 1_000_000, file.size, dict(file.partition))
