"""OTLP attribute values as plain Python."""

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from penstock.formats.any_value import TOO_DEEP, plain, plain_map
from tests.ingest.otlp_requests import set_value


def test_every_kind_of_value_comes_as_what_it_holds() -> None:
    value = AnyValue()
    set_value(value, {"text": "a", "yes": True, "one": 1, "half": 0.5, "list": ["a", {"b": []}], "bytes": b"\x00\xff"})
    assert plain(value) == {"text": "a", "yes": True, "one": 1, "half": 0.5, "list": ["a", {"b": []}], "bytes": "AP8="}


def test_a_value_that_is_not_set_is_none() -> None:
    assert plain(AnyValue()) is None


def test_an_empty_string_is_a_value() -> None:
    assert plain(AnyValue(string_value="")) == ""


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    pairs = [KeyValue(key="a", value=AnyValue(int_value=number)) for number in (1, 2)]
    assert plain_map(pairs) == {"a": 2}


def test_deep_nesting_is_cut_off() -> None:
    value = AnyValue()
    innermost = value
    for _ in range(60):
        innermost = innermost.array_value.values.add()
    innermost.string_value = "deep"
    assert TOO_DEEP in str(plain(value))
    assert "deep" not in str(plain(value))
