"""Values as exports hold them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.replay.binding import RowError
from penstock.replay.export_values import (
    amount,
    first,
    hex_of_base64,
    listing,
    mapping,
    nest,
    required_text,
    structure,
    text_of,
    time_of,
)

NAN = float("nan")
MOMENT = datetime(2026, 3, 1, 10, 0, 0, 500_000, tzinfo=UTC)


def test_names_with_dots_are_objects_and_lists() -> None:
    flat = {"llm.messages.0.message.role": "user", "llm.messages.1.message.role": "tool", "llm.name": "m", "empty": NAN}
    assert nest(flat) == {"llm": {"messages": [{"message": {"role": "user"}}, {"message": {"role": "tool"}}], "name": "m"}}


def test_flat_and_nested_names_of_one_object_are_joined() -> None:
    assert nest({"a.b": 1, "a": {"c": 2}, "list": [{"x.y": 3}]}) == {"a": {"b": 1, "c": 2}, "list": [{"x": {"y": 3}}]}
    assert nest({"a": 1, "a.b": 2}) == {"a": {"b": 2}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{'a': None}", {"a": None}),
        ('"text"', "text"),
        ("plain", "plain"),
        ("{broken", "{broken"),
        ("[1, 2", "[1, 2"),
        (7, 7),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_text_is_what_it_holds_where_it_holds_a_structure(value: Any, expected: Any) -> None:
    assert structure(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01T10:00:00.5Z",
        "2026-03-01 10:00:00.500",
        MOMENT,
        MOMENT.replace(tzinfo=None),
        MOMENT.timestamp(),
        MOMENT.timestamp() * 1e3,
        MOMENT.timestamp() * 1e6,
        int(MOMENT.timestamp() * 10) * 10**8,
        str(MOMENT.timestamp()),
    ],
)
def test_a_time_is_read_in_every_unit(value: Any) -> None:
    assert time_of(value, "at") == MOMENT


@pytest.mark.parametrize("value", [None, "", NAN])
def test_an_empty_cell_is_no_time(value: Any) -> None:
    assert time_of(value, "at") is None


def test_what_is_no_time_is_a_reason() -> None:
    with pytest.raises(RowError, match="at: text of 9 characters is no ISO 8601 time"):
        time_of("yesterday", "at")


def test_objects_come_out_of_text_and_of_pairs() -> None:
    assert mapping('{"a": 1, "b": null}') == mapping([("a", 1), ("b", None)]) == {"a": 1}
    assert mapping("no object") == mapping(None) == mapping([1]) == {}
    assert listing("[1]") == listing((1,)) == [1]
    assert listing("no list") == []


def test_plain_values_are_text_and_numbers() -> None:
    assert [text_of(value) for value in (7.0, True, "a", {}, None, NAN)] == ["7", "true", "a", None, None, None]
    assert [amount(value) for value in ("1.5", 2, True, "a", NAN, float("inf"))] == [1.5, 2.0, None, None, None, None]
    assert first({"a": NAN, "b": "", "c": 0}, "a", "b", "c") == 0


def test_ids_in_base64_are_hex() -> None:
    assert hex_of_base64("dnYNXKvGAyg=") == "76760d5cabc60328"
    assert hex_of_base64("76760d5cabc60328") == "76760d5cabc60328"
    assert hex_of_base64("no=base=64=") == "no=base=64="


def test_an_id_has_to_be_there() -> None:
    assert required_text({"b": 7}, "a", "b") == "7"
    with pytest.raises(RowError, match="a: it is empty"):
        required_text({}, "a")
    with pytest.raises(RowError, match="a: a list of 1 is no text"):
        required_text({"a": [1]}, "a")
