"""Sets that a person brings as JSONL: the first model has no users yet, and rehearsal rows come from nobody's traffic.

Each row leads back to its file and line instead of to a request.
"""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from penstock.datasets.freeze import record_dataset
from penstock.datasets.rows import TrainingRow, side_of
from penstock.errors import BadInputError, EmptySelectionError
from penstock.lake.lake import Lake
from penstock.records.dataset import DatasetKind, DatasetVersion
from penstock.records.ids import content_hash
from penstock.registry.registry import Registry
from penstock.text.redaction import Redactor


class ImportedRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the file."""

    prompt: list[dict[str, str]]
    completion: str
    user: str | None = None


def import_dataset(
    lake: Lake,
    registry: Registry,
    artifacts: Path,
    path: Path,
    name: str,
    test_share: float,
    known_at: datetime,
    redactor: Redactor | None = None,
) -> DatasetVersion:
    """Freeze an SFT set from a JSONL file of prompt and completion. Raises BadInputError naming the line.

    Without a redactor the file must hold nobody's personal data, as one that a program made up does not.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}.") from error
    origin = "file:" + hashlib.sha256(b"\n".join(lines)).hexdigest()[:32]
    rows = [
        _row(_redact(_decode(path, number, line), origin, redactor), origin, number, test_share, known_at)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if not rows:
        raise EmptySelectionError(f"{path} has no rows.")
    selection = {"imported_from": path.name, "origin": origin}
    return record_dataset(lake, registry, artifacts, name, str(DatasetKind.SFT), rows, selection, known_at)


def _decode(path: Path, number: int, line: bytes) -> ImportedRow:
    try:
        return msgspec.json.decode(line, type=ImportedRow)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f'{path}, line {number}: {error}. A row is {{"prompt": [...], "completion": "..."}}.') from error


def _redact(given: ImportedRow, origin: str, redactor: Redactor | None) -> ImportedRow:
    if redactor is None:
        return given

    def clean(text: str) -> str:
        return redactor.redact(text, origin)[0] or ""

    return ImportedRow(
        prompt=[{**message, "content": clean(message.get("content", ""))} for message in given.prompt],
        completion=clean(given.completion),
        user=redactor.hash_id(given.user, "user") if given.user else None,
    )


def _row(given: ImportedRow, origin: str, number: int, test_share: float, known_at: datetime) -> TrainingRow:
    source = f"{origin}:{number}"
    user = given.user or source
    content: dict[str, Any] = {"prompt": given.prompt, "completion": given.completion, "source": source, "user": user}
    row_hash = content_hash(msgspec.json.encode(content, order="sorted"))
    return TrainingRow(
        row_hash=row_hash,
        line=msgspec.json.encode({"row_hash": row_hash, **content}, order="sorted") + b"\n",
        split=side_of(user, test_share),
        interaction_ids=[],
        label_ids=[],
        started_at=known_at,
        user=user,
        value=1.0,
    )
