"""Freezing: rows become files that never change, named by their content, with the manifest written last.

Building the same set twice gives the same bytes and adds nothing. A folder without a manifest is no dataset.
"""

import os
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from penstock import __version__
from penstock.datasets.rows import TrainingRow, make_row
from penstock.datasets.selection import select_rows
from penstock.datasets.spec import DatasetSpec
from penstock.errors import ConflictError, EmptySelectionError, StorageError
from penstock.lake.lake import Lake
from penstock.records.dataset import DatasetKind, DatasetRow, DatasetVersion, Split
from penstock.records.ids import DatasetVersionId, content_hash
from penstock.registry.registry import Registry

MANIFEST = "manifest.json"
FILES = {Split.TRAIN: "train.jsonl", Split.TEST: "test.jsonl"}


def freeze_dataset(lake: Lake, registry: Registry, artifacts: Path, spec: DatasetSpec, known_at: datetime) -> DatasetVersion:
    """Select, write, record; `known_at` is the time as of which the lake is read. Raises EmptySelectionError."""
    with lake.writing():
        selected = select_rows(lake, spec, known_at).to_pyarrow().to_pylist()
        rows = sorted((make_row(row, spec.kind, spec.test_share) for row in selected), key=lambda row: row.interaction_ids)
        _require_both_labels(spec, rows)
        return record_dataset(lake, registry, artifacts, spec.name, spec.kind, rows, msgspec.to_builtins(spec), known_at)


def record_dataset(
    lake: Lake,
    registry: Registry,
    artifacts: Path,
    name: str,
    kind: str,
    rows: Sequence[TrainingRow],
    selection: dict[str, Any],
    known_at: datetime,
) -> DatasetVersion:
    """Write the rows' files, then their origins in the lake, then the version in the registry; each at most once."""
    files = {split: b"".join(row.line for row in rows if row.split == split) for split in FILES}
    hashes = {FILES[split]: content_hash(data) for split, data in files.items()}
    whole = content_hash(msgspec.json.encode({"name": name, "kind": kind, "files": hashes}, order="sorted"))
    dataset_id = DatasetVersionId("d_" + whole.removeprefix("b2:")[:16])
    folder = artifacts / "datasets" / dataset_id
    manifest = _manifest(dataset_id, name, kind, whole, hashes, rows, selection, known_at)
    _write_folder(folder, {FILES[split]: data for split, data in files.items()}, manifest)
    origins = [_origin(dataset_id, row, known_at) for row in rows]
    lake.append("dataset_rows", origins, transactions={f"dataset:{dataset_id}": 1})
    counts = {split: sum(row.split == split for row in rows) for split in FILES}
    return registry.datasets.put(
        DatasetVersion(
            dataset_version_id=dataset_id,
            name=name,
            kind=kind,
            content_hash=whole,
            uri=str(folder),
            selection=msgspec.json.encode(selection, order="sorted").decode(),
            train_rows=counts[Split.TRAIN],
            test_rows=counts[Split.TEST],
            known_at=known_at,
            created_at=known_at,
        )
    )


def _require_both_labels(spec: DatasetSpec, rows: Sequence[TrainingRow]) -> None:
    if spec.kind != DatasetKind.KTO:
        return
    good = sum(row.value >= 1.0 for row in rows)
    if good in (0, len(rows)):
        raise EmptySelectionError(
            f"KTO needs good and bad rows, but of the {len(rows)} that {spec.name!r} selects {good} are good. Widen the rule."
        )


def _manifest(
    dataset_id: str,
    name: str,
    kind: str,
    whole: str,
    hashes: dict[str, str],
    rows: Sequence[TrainingRow],
    selection: dict[str, Any],
    known_at: datetime,
) -> dict[str, Any]:
    values = [row.value for row in rows]
    return {
        "dataset_version_id": dataset_id,
        "name": name,
        "kind": kind,
        "content_hash": whole,
        "files": hashes,
        "rows": {str(split): sum(row.split == split for row in rows) for split in FILES},
        "users": {str(split): len({row.user for row in rows if row.split == split}) for split in FILES},
        "mean_value": sum(values) / len(values) if values else None,
        "kto": _balance(values) if kind == DatasetKind.KTO else None,
        "selection": selection,
        "known_at": known_at.isoformat(),
        "penstock": __version__,
    }


def _balance(values: Sequence[float]) -> dict[str, Any]:
    """Good and bad rows, and the band in which the weight of the good ones keeps them from drowning."""
    good = sum(value >= 1.0 for value in values)
    even = (len(values) - good) / good
    return {"desirable": good, "undesirable": len(values) - good, "desirable_weight": [even, 4.0 / 3.0 * even]}


def _origin(dataset_id: str, row: TrainingRow, known_at: datetime) -> DatasetRow:
    return DatasetRow(
        dataset_version_id=dataset_id,
        row_hash=row.row_hash,
        split=str(row.split),
        weight=row.weight,
        interaction_ids=row.interaction_ids,
        label_ids=row.label_ids,
        started_at=row.started_at,
        known_at=known_at,
    )


def _write_folder(folder: Path, files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """Write aside, fsync, rename; a folder that stands already must hold the same bytes."""
    if (folder / MANIFEST).exists():
        for name, data in files.items():
            if (folder / name).read_bytes() != data:
                raise ConflictError(f"{folder / name} does not hold what its name says; somebody has changed a frozen set.")
        return
    draft = folder.with_name(folder.name + ".tmp")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for name, data in [
            *files.items(),
            (MANIFEST, msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1)),
        ]:
            with (draft / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
        _sync_folder(folder)
        _sync_folder(folder.parent)
    except OSError as error:
        raise StorageError(
            f"The dataset {folder} cannot be written: {error.strerror}. Free the disk and build it again."
        ) from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
