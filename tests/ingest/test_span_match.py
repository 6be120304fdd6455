from typing import Any

import pytest

from penstock.errors import ConfigurationError
from penstock.ingest.span_match import span_match
from penstock.policy_settings import AttributeMatch
from tests.rows import make_span, trace


def matches(span_fields: dict[str, Any], *attributes: AttributeMatch, applications: list[str] | None = None) -> bool:
    return span_match("rule", applications or [], attributes)(make_span(trace(1), "s", **span_fields))


def value(key: str, *values: str, **fields: Any) -> AttributeMatch:
    return AttributeMatch(key=key, values=list(values), **fields)


def test_an_attribute_is_found_wherever_it_was_put() -> None:
    assert matches({"attributes": {"a": "1"}}, value("a", "1"))
    assert matches({"attributes": {"resource.deployment.environment": "prod"}}, value("deployment.environment", "prod"))
    assert matches({"request_model": "gpt"}, value("gen_ai.request.model", "gpt"))
    assert matches({"application": "shop"}, value("service.name", "shop"))
    assert matches({"tags": {"team": "x"}}, value("penstock.tag.team", "x"))
    assert matches({"keys": {"ticket": "x"}}, value("penstock.key.ticket", "x"))
    assert not matches({}, value("a", "1"))


def test_no_value_named_means_any_value() -> None:
    assert matches({"attributes": {"a": ""}}, value("a"))
    assert not matches({}, value("a"))


def test_all_conditions_have_to_hold_and_of_several_values_one() -> None:
    both = value("a", "1", "2"), value("b", "3")
    assert matches({"attributes": {"a": "2", "b": "3"}}, *both)
    assert not matches({"attributes": {"a": "2"}}, *both)
    assert not matches({"attributes": {"a": "2", "b": "3"}}, *both, applications=["shop"])


def test_patterns_match_anywhere_in_a_value_and_only_where_asked_for() -> None:
    assert matches({"attributes": {"a": "internal-tool"}}, value("a", "^internal-", enabled_regex_matching=True))
    assert not matches({"attributes": {"a": "internal-tool"}}, value("a", "^internal-"))


@pytest.mark.parametrize(
    ("text", "expected"), [("5", True), ("5.5", True), ("4", False), ("10", False), ("x", False), ("", False)]
)
def test_numbers_are_compared_as_numbers(text: str, expected: bool) -> None:
    assert matches({"attributes": {"n": text}}, value("n", min_value=5, max_value=9)) is expected


def test_numbers_in_columns_are_compared_too() -> None:
    assert matches({"input_tokens": 5000}, value("gen_ai.usage.input_tokens", min_value=4000))


def test_a_pattern_that_is_none_names_its_rule() -> None:
    with pytest.raises(ConfigurationError, match=r"rule: '\(' for a is no regular expression"):
        span_match("rule", [], [value("a", "(", enabled_regex_matching=True)])


def test_a_hostile_pattern_and_value_take_no_time() -> None:
    assert not matches({"attributes": {"a": "a" * 30_000}}, value("a", "^(a+)+$b", enabled_regex_matching=True))


def test_an_error_counts_however_it_was_said() -> None:
    failed = span_match("rule", [], [], ["ERROR"])
    assert failed(make_span(trace(1), "s", status="error")) and failed(make_span(trace(1), "s", error_type="timeout"))
    assert not failed(make_span(trace(1), "s", status="ok"))
    assert span_match("rule", [], [], ["OK", "UNSET"])(make_span(trace(1), "s"))
