"""JSON in, JSON out, however often it was encoded."""

import json
from typing import Any

import pytest

from penstock.formats.json_value import decoded, decoded_map, encode_json, join_objects, load_json, parse_json


@pytest.mark.parametrize("value", [{"a": [1, None]}, "text", 1.5, float("nan"), "half \ud800 pair", {"k": "\udfff"}])
def test_whatever_is_encoded_is_json(value: Any) -> None:
    json.loads(encode_json(value))


def test_a_value_encoded_twice_or_thrice_is_what_it_holds() -> None:
    value = [{"role": "user"}]
    for _ in range(3):
        assert decoded(json.dumps(value) if not isinstance(value, str) else value) == [{"role": "user"}]
        value = json.dumps(value)  # type: ignore[assignment]
    assert decoded('"gpt-4o"') == "gpt-4o"


@pytest.mark.parametrize("text", ["plain", "12", "[broken", '"open', "", "{'single': 1}"])
def test_text_that_is_no_json_stays(text: str) -> None:
    assert decoded(text) == text


def test_json_that_only_python_writes_is_read_and_depth_without_end_is_not() -> None:
    assert parse_json("[NaN]")[0] != parse_json("[NaN]")[0]
    assert isinstance(parse_json("[" * 100_000), str)
    assert decoded_map('"{\\"a\\": 1}"') == {"a": 1}
    assert decoded_map("[1]") == decoded_map(None) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [('["\\ud83d"]', ["?"]), ("[1e999]", [float("inf")]), ("[" + 5000 * "9" + "]", [float("inf")]), (b'{"a": 1}', {"a": 1})],
)
def test_numbers_beyond_measure_and_halves_of_characters_are_no_end_of_the_rest(text: str | bytes, value: Any) -> None:
    assert load_json(text) == value


@pytest.mark.parametrize("text", ["", "{", b"\xff\xfe", "[" * 100_000])
def test_what_is_no_json_is_an_error_that_says_why(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        load_json(text)


@pytest.mark.parametrize(
    ("own", "added", "joined"),
    [
        ('{"a":1}', '{"a":2,"b":3}', '{"a":1,"b":3}'),
        ('{"a": 1}', '{"a":2}', '{"a": 1}'),
        ("[TRUNC", '{"b":3}', "[TRUNC"),
        ('{"a": 1}', "[TRUNC", '{"a": 1}'),
    ],
)
def test_what_an_object_lacks_is_added_and_what_it_says_stands(own: str, added: str, joined: str) -> None:
    assert join_objects(own, added) == joined
