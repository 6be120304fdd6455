"""Edits and acceptance on real data, where the shared data sets are on the machine."""

from pathlib import Path

import numpy
import pytest
from benchmarks.signal_accuracy import cups, mlqe_pe

from penstock.signals.acceptance import ACCEPTANCE

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = sorted((DATA / "mlqe_pe").glob("*.jsonl.xz"))


@pytest.mark.skipif(not SETS, reason="the shared data sets are not on this machine")
@pytest.mark.parametrize("path", SETS or [DATA], ids=lambda path: path.name)
def test_the_word_edit_rate_agrees_with_what_translations_are_judged_by(path: Path) -> None:
    rows = mlqe_pe.rows_of(path)
    found = mlqe_pe.edits_of(rows)
    hter = [row["hter"] for row in rows]
    assert numpy.corrcoef(numpy.minimum(found["word_edit_rate"], 1.0), hter)[0, 1] >= 0.97
    assert numpy.corrcoef(found["value"], hter)[0, 1] >= 0.97


@pytest.mark.skipif(not (DATA / "cups").exists(), reason="the shared data sets are not on this machine")
def test_acceptance_is_what_the_study_counted() -> None:
    values = [
        one["value"]
        for one in cups.findings_of(ACCEPTANCE, cups.events_of(DATA / "cups" / "events.jsonl.xz"))
        if one["value"] is not None
    ]
    assert (sum(values), len(values)) == (386, 1096)
