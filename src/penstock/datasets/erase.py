"""Erasing from frozen sets: rows go from the files and the lake, a tombstone of each stays, the set is no longer rebuildable.

It is the one exception to "frozen means frozen". A set keeps its name, which is the hash of what it was.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from penstock.datasets.freeze import FILES, MANIFEST
from penstock.errors import BadInputError, StorageError
from penstock.lake.durability import replace_durably
from penstock.lake.lake import Lake
from penstock.lake.selection import among
from penstock.records.dataset import DatasetRow
from penstock.registry.registry import Registry

_HIT = "list_has_any(interaction_ids, (SELECT list(id) FROM erased_interactions))"


class _Line(Struct):
    row_hash: str | None = None


def erase_from_datasets(
    lake: Lake, registry: Registry, interactions: Collection[str], erasure_id: str, at: datetime
) -> dict[str, int]:
    """Rows erased, by dataset version. The caller writes to the lake alone."""
    rows = lake.current("dataset_rows")
    pairs = rows.select("dataset_version_id", "row_hash", interaction_id=rows.interaction_ids.unnest())
    hit = among(pairs, "interaction_id", interactions).select("dataset_version_id", "row_hash").distinct()
    found: list[DatasetRow] = lake.to_records("dataset_rows", rows.semi_join(hit, ["dataset_version_id", "row_hash"]))
    by_dataset: dict[str, set[str]] = defaultdict(set)
    for row in found:
        by_dataset[row.dataset_version_id].add(row.row_hash)
    for dataset_id, hashes in sorted(by_dataset.items()):
        _erase_files(Path(registry.datasets.get(dataset_id).uri), hashes, erasure_id, at)
        registry.datasets.mark_not_rebuildable(dataset_id)
    if found:
        lake.append("dataset_rows", [_tombstone(row, at) for row in found])  # first: one that is cut short must not lose them
        lake.erase("dataset_rows", _HIT, {"erased_interactions": pa.table({"id": pa.array(sorted(interactions), pa.string())})})
    return {dataset_id: len(hashes) for dataset_id, hashes in by_dataset.items()}


def _tombstone(row: DatasetRow, at: datetime) -> DatasetRow:
    """That there was a row, and nothing of what it was made of."""
    return msgspec.structs.replace(row, weight=0.0, interaction_ids=[], label_ids=[], known_at=at)


def _erase_files(folder: Path, hashes: Collection[str], erasure_id: str, at: datetime) -> None:
    """Take the rows out of the files, and then say so in the manifest; done twice, it finds nothing the second time."""
    decoder = msgspec.json.Decoder(_Line)
    try:
        for name in FILES.values():
            lines = (folder / name).read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if decoder.decode(line).row_hash not in hashes]
            if len(kept) < len(lines):
                replace_durably(folder / name, b"".join(kept))
        manifest: dict[str, Any] = msgspec.json.decode((folder / MANIFEST).read_bytes())
        erased = {"erasure_id": erasure_id, "rows": len(hashes), "at": at.isoformat()}
        manifest["erased"] = [*manifest.get("erased", []), erased]
        replace_durably(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1))
    except OSError as error:
        raise StorageError(
            f"Rows of the dataset {folder} cannot be erased: {error.strerror}. Mend that and erase again."
        ) from error
    except msgspec.DecodeError as error:
        raise BadInputError(f"The dataset {folder} holds a line that is no row: {error}. Mend it and erase again.") from error
