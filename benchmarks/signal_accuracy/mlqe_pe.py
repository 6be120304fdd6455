"""MLQE-PE: machine translations as people corrected them; does our word edit rate agree with the official HTER, row by row?

Each correction is a report of the text that was kept, and what the definition `edit` finds is held against the number that comes
with the row. Nothing was fitted, but how words are told apart was chosen with an eye on these rows.
"""

import json
from pathlib import Path
from typing import Any

import numpy
import pyarrow as pa
from benchmarks.signal_accuracy.figures import Section, Table
from benchmarks.signal_accuracy.files import content_of, files_of, missing, name_of

from penstock.signals.edit import EDIT

COLUMNS = ("set", "rows", "HTER, mean", "ours, mean", "r", "r, value of edit", "r, characters", "unedited", "ours")
_KNOWN = ("en-de.dev", "ro-en.dev", "ru-en.dev")
_MOST = 1.0  # HTER is never more


def measure(data: Path) -> Section:
    """Correlation with HTER in every set that is there."""
    folder = data / "mlqe_pe"
    paths = files_of(folder, ".jsonl")
    table = Table(title="Edits against HTER", columns=COLUMNS, rows=tuple(_row(name_of(path), rows_of(path)) for path in paths))
    return Section(title="MLQE-PE", text=_TEXT, tables=(table,), missing=missing(folder, _KNOWN, paths))


_TEXT = """
Translations and what people made of them. HTER counts edited words, moved blocks as one, over the words kept; `word_edit_rate`
in the evidence of `edit` is meant to be the same, except that quotes and dashes of another kind are formatting to us. r is
Pearson's, over single rows. Nothing was fitted; what counts as a word was settled with these rows at hand.
"""


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of one file: mt, pe and hter among others."""
    return [json.loads(line) for line in content_of(path).decode().splitlines()]


def edits_of(rows: list[dict[str, Any]]) -> dict[str, numpy.ndarray]:
    """What the definition finds: the value, and numbers out of the evidence."""
    batch = pa.RecordBatch.from_pydict(
        {
            "value": pa.nulls(len(rows), pa.float64()),
            "text": [row["pe"] for row in rows],
            "evidence_offered": [row["mt"] for row in rows],
        }
    )
    found = EDIT.find(batch).to_pylist(maps_as_pydicts="strict")
    names = ("word_edit_rate", "character_share", "words")
    numbers = {name: numpy.array([float(one["evidence"][name]) for one in found]) for name in names}
    return {"value": numpy.array([one["value"] for one in found]), **numbers}


def _row(name: str, rows: list[dict[str, Any]]) -> tuple[str, ...]:
    hter, found = numpy.array([row["hter"] for row in rows]), edits_of(rows)
    ours = numpy.minimum(found["word_edit_rate"], _MOST)
    agreement = (f"{numpy.corrcoef(one, hter)[0, 1]:.4f}" for one in (ours, found["value"], found["character_share"]))
    unedited = (str(int((one == 0).sum())) for one in (hter, ours))
    return (name, str(len(rows)), f"{hter.mean():.4f}", f"{ours.mean():.4f}", *agreement, *unedited)
