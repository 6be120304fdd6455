"""Reading a gateway request: traceparent, the unit of a split, and what is changed on the way to the upstream."""

import json
from typing import Any

import pytest

from penstock.edge.gateway_request import Added, GatewayRequest, read_request, read_traceparent, what_to_add, write_request
from penstock.errors import BadInputError
from penstock.model_client import CHAT, COMPLETIONS
from penstock.records.clock import utc_now

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def read(body: dict[str, Any], path: str = CHAT, **headers: str) -> GatewayRequest:
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return read_request(path, given, json.dumps({"model": "m", **body}).encode(), utc_now())


@pytest.mark.parametrize("header", [f"00-{TRACE}-{SPAN}-01", f" 00-{TRACE.upper()}-{SPAN}-00 ", f"cc-{TRACE}-{SPAN}-01-future"])
def test_a_valid_traceparent_is_joined(header: str) -> None:
    assert read_traceparent(header) == (TRACE, SPAN)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "x",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01-x",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_an_invalid_traceparent_starts_a_fresh_trace(header: str) -> None:
    trace_id, parent = read_traceparent(header)
    assert parent is None and len(trace_id) == 32 and trace_id != TRACE


@pytest.mark.parametrize(
    ("body", "headers", "unit"),
    [
        ({"user": "a", "safety_identifier": "b"}, {"x_penstock_user": "c", "x_penstock_session": "s"}, "a"),
        ({"safety_identifier": "b"}, {"x_penstock_user": "c"}, "b"),
        ({}, {"x_penstock_user": "c", "x_penstock_session": "s"}, "c"),
        ({"metadata": {"session_id": "m"}}, {"x_penstock_session": "s"}, "s"),
        ({"metadata": {"session_id": "m"}}, {}, "m"),
        ({}, {"x_penstock_request_id": "r"}, "r"),
    ],
)
def test_a_split_is_by_user_else_session_else_request(body: dict[str, Any], headers: dict[str, str], unit: str) -> None:
    assert read(body, **headers).unit == unit


def test_a_request_without_an_id_gets_one() -> None:
    assert read({}).request_id != read({}).request_id


@pytest.mark.parametrize(("path", "logprobs"), [(CHAT, True), (COMPLETIONS, 1)])
def test_logprobs_are_asked_for_in_the_way_of_each_endpoint(path: str, logprobs: Any) -> None:
    request = read({}, path)
    assert json.loads(write_request(request, "upstream-name", Added(logprobs=True))) == {
        "model": "upstream-name",
        "logprobs": logprobs,
    }
    assert json.loads(write_request(request, "upstream-name", Added())) == {"model": "upstream-name"}


@pytest.mark.parametrize(("path", "logprobs"), [(CHAT, True), (COMPLETIONS, 5), (COMPLETIONS, 0)])
def test_what_the_client_asked_for_is_left_as_it_is(path: str, logprobs: Any) -> None:
    request = read({"logprobs": logprobs}, path)
    assert request.wants_logprobs
    added = what_to_add(request, logprobs=True, stream_usage=False)
    assert not added.logprobs
    assert json.loads(write_request(request, "m", added))["logprobs"] == logprobs


def test_a_header_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadInputError, match="x-penstock-user"):
        read({}, x_penstock_user="u" * 2000)
