from datetime import UTC, datetime

import pytest

from penstock.replay.binding import Binding, Row, RowError, moment, number


def read(binding: Binding, item: object = None, **values: object) -> object:
    return binding.read(Row(7, values, item), "field")


def test_a_value_comes_from_a_column_a_constant_a_template_the_row_number_or_an_item() -> None:
    assert read(Binding(column="a"), a="x") == "x"
    assert read(Binding(value=1)) == 1
    assert read(Binding(template="{a}/{b}"), a="x", b=2) == "x/2"
    assert read(Binding(row_number=True)) == 7
    assert read(Binding(item=True, path="copied"), item={"copied": "text"}) == "text"


@pytest.mark.parametrize("missing", [None, ""])
def test_an_empty_column_is_missing_whatever_its_parser(missing: object) -> None:
    assert read(Binding(column="a", parse="python"), a=missing) is None


def test_a_template_with_an_empty_column_is_a_reason() -> None:
    with pytest.raises(RowError, match="needs column `b`"):
        read(Binding(template="{a}/{b}"), a="x", b=None)


def test_structures_are_parsed_and_stepped_into() -> None:
    assert read(Binding(column="a", parse="json", path="usage.total"), a='{"usage": {"total": 3}}') == 3
    assert read(Binding(column="a", parse="python", path="0.copied"), a="[{'copied': 'x'}]") == "x"
    assert read(Binding(column="a", parse="python", path="5.copied"), a="[{'copied': 'x'}]") is None
    assert read(Binding(column="a", path="b"), a={"b": 1}) == 1


@pytest.mark.parametrize("text", ["[", "open('x')", "(" * 10_000, "nan"])
def test_text_that_is_no_literal_is_a_reason_that_does_not_quote_it(text: str) -> None:
    with pytest.raises(RowError, match="not a Python literal") as reason:
        read(Binding(column="a", parse="python"), a=text)
    assert text not in str(reason.value) or len(text) == 1


def test_words_of_the_log_become_words_of_ours_and_unknown_ones_stay() -> None:
    binding = Binding(column="a", map={"up": 1, "true": "yes"})
    assert read(binding, a="up") == 1
    assert read(binding, a=True) == "yes"
    assert read(binding, a="sideways") == "sideways"


@pytest.mark.parametrize("value", ["nan", "inf", float("nan"), "12,5", [], "x" * 50])
def test_what_is_no_finite_number_is_a_reason(value: object) -> None:
    with pytest.raises(RowError, match="number"):
        number(value, "field")


def test_times_are_iso_text_timestamps_or_counted_from_a_base() -> None:
    base = datetime(2024, 1, 1, tzinfo=UTC)
    assert moment(read(Binding(value="90.5", parse="seconds")), Binding(parse="seconds", base=base), "at") == datetime(
        2024, 1, 1, 0, 1, 30, 500_000, tzinfo=UTC
    )
    milliseconds = Binding(value=1_700_000_000_123, parse="milliseconds")
    assert moment(read(milliseconds), milliseconds, "at").microsecond == 123_000
    assert moment("2024-01-01T02:00:00+02:00", Binding(), "at") == base
    assert moment(datetime(2024, 1, 1), Binding(), "at") == base


@pytest.mark.parametrize(("value", "binding"), [(5, Binding()), ("yesterday", Binding()), (1e300, Binding(parse="seconds"))])
def test_what_is_no_time_is_a_reason(value: object, binding: Binding) -> None:
    with pytest.raises(RowError, match="at: "):
        moment(value, binding, "at")
