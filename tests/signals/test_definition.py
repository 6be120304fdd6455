"""Findings out of an expression's columns."""

import pyarrow as pa

from penstock.signals.definition import FINDINGS, with_evidence


def test_evidence_is_gathered_from_columns_and_nulls_are_left_out() -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "target_id": ["a", "b", "c"],
            "evidence_kind": ["x", None, None],
            "value": [1.0, None, 2.0],
            "evidence_gap": ["1", "2", None],
        }
    )
    found = with_evidence(batch)
    assert found.schema == FINDINGS
    assert [dict(row) for row in found.column("evidence").to_pylist()] == [{"kind": "x", "gap": "1"}, {"gap": "2"}, {}]
    assert found.column("value").to_pylist() == [1.0, None, 2.0]
    assert found.column("text").to_pylist() == [None, None, None]


def test_an_expression_without_evidence_or_rows_has_findings_all_the_same() -> None:
    assert with_evidence(pa.RecordBatch.from_pydict({"target_id": ["a"]})).column("evidence").to_pylist() == [[]]
    assert with_evidence(pa.RecordBatch.from_pydict({"target_id": pa.array([], pa.string())})).num_rows == 0
