from collections.abc import Iterator

import pytest

from penstock.errors import BadInputError
from penstock.replay import row_batches
from penstock.replay.log_rows import LogRow
from penstock.replay.row_batches import read_batches
from penstock.replay.row_reader import mapped_rows
from tests.replay.examples import small_mapping, small_rows


def log_rows(count: int) -> Iterator[LogRow]:
    for number, values in enumerate(small_rows(count), start=1):
        yield LogRow(number, values, None, number / count)


def test_rows_are_batched_by_count() -> None:
    batches = list(read_batches(log_rows(250), "a.jsonl", "a.jsonl", mapped_rows(small_mapping())))
    assert [(len(batch.calls), batch.last_row) for batch in batches] == [(100, 100), (100, 200), (50, 250)]


def test_large_rows_are_batched_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_batches, "BATCH_BYTES", 1000)
    batches = list(read_batches(log_rows(20), "a.jsonl", "a.jsonl", mapped_rows(small_mapping())))
    assert len(batches) > 4
    assert batches[-1].last_row == 20


def test_rejected_rows_count_towards_a_batch_and_carry_their_reason() -> None:
    rows = (LogRow(number, {}, "it is broken", 0.0) for number in range(1, 151))
    first, second = read_batches(rows, "a.jsonl", "a.jsonl", mapped_rows(small_mapping()))
    assert (len(first.rejected), len(second.rejected)) == (100, 50)
    assert first.rejected[0].reason == "it is broken"


def test_rows_before_a_file_breaks_off_are_a_batch_and_then_the_error_comes() -> None:
    def broken() -> Iterator[LogRow]:
        yield from log_rows(3)
        raise BadInputError("cut short")

    batches = read_batches(broken(), "a.jsonl", "a.jsonl", mapped_rows(small_mapping()))
    assert next(batches).last_row == 3
    with pytest.raises(BadInputError, match="cut short"):
        next(batches)
