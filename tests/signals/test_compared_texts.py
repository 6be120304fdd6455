import pyarrow as pa

from penstock.signals.compared_texts import numbers_of, text_pairs, texts_of, with_found

BATCH = pa.RecordBatch.from_pydict({"value": [1.0, None, None], "before": ["a", None, ""], "after": ["b", "c", "d"]})


def test_pairs_are_where_both_texts_are() -> None:
    pairs = text_pairs(BATCH, "before", "after")
    assert (pairs.is_there.tolist(), pairs.offered, pairs.final) == ([True, False, True], ["a", ""], ["b", "d"])


def test_what_was_found_stands_beside_the_rest() -> None:
    value = numbers_of(BATCH, "value")
    value[1] = 0.5
    found = with_found(BATCH, value, {"evidence_class": ["x", None, None]}, without=["before"])
    assert found.to_pydict() == {"value": [1.0, 0.5, None], "after": ["b", "c", "d"], "evidence_class": ["x", None, None]}
    assert texts_of(found, "evidence_class") == ["x", None, None]
    assert BATCH.column("value").to_pylist() == [1.0, None, None]
