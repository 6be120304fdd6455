"""Strings inside JSON are changed where they stand; what is no JSON is left to others."""

import json

from penstock.text.json_text import map_json_strings


def shout(text: str, name: str) -> str:
    return text.upper()


def test_keys_values_and_nested_json_are_all_strings() -> None:
    assert map_json_strings('{"a": ["b", {"c": "{\\"d\\": \\"e\\"}"}], "n": 1.5, "t": true, "z": null}', shout) == (
        '{"A":["B",{"C":"{\\"D\\":\\"E\\"}"}],"N":1.5,"T":true,"Z":null}'
    )


def test_only_long_whole_numbers_are_offered_as_text() -> None:
    seen: list[str] = []
    map_json_strings("[123456, 4111111111111111, 0.4111111111111111]", lambda text, name: seen.append(text) or text)
    assert seen == ["4111111111111111"]


def test_a_value_is_offered_with_the_key_that_it_stands_under_in_lists_too() -> None:
    seen: list[tuple[str, str]] = []
    map_json_strings(
        '{"api_key": "abc", "n": {"order_id": [4111111111111111]}}', lambda text, name: seen.append((text, name)) or text
    )
    assert ("abc", "api_key") in seen
    assert ("4111111111111111", "order_id") in seen
    assert ("api_key", "") in seen


def test_text_that_is_no_json_container_or_string_is_not_touched() -> None:
    for text in ("", "plain", "12", "{broken", "[1,", "[" * 5000 + "]" * 5000):
        assert map_json_strings(text, shout) is None


def test_what_json_has_no_form_for_is_replaced() -> None:
    changed = map_json_strings('{"a": NaN, "b": "\\ud800"}', lambda text, name: text)
    assert changed is not None
    assert json.loads(changed) == {"a": None, "b": "?"}
