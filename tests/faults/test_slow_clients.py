"""Clients that half send a request and then wait: others are served as before, and the half-sent ones end in time."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.faults.load import chat_body, send_chats
from tests.faults.processes import Edge, killed_at_the_end

_PATIENCE_S = 4.0
_CLIENTS = 700  # more than the soft limit of open files set here


def half_a_request(kind: str) -> bytes:
    body = chat_body([1])
    head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n"
    parts = {
        "nothing": b"",
        "half of its first line": b"POST /v1/tra",
        "half of its headers": head,
        "half of its body": head + b"content-length: %d\r\n\r\n" % len(body) + body[: len(body) // 2],
        "half of a chunk": head + b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(body) + body[: len(body) // 2],
    }
    return parts[kind]


def connect(edge: Edge) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", edge.port), 30)
    connection.settimeout(60)
    return connection


@pytest.fixture(scope="module")
def slow_edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """An edge whose soft limit of open files is far below what the machine would allow."""
    edge = Edge(
        tmp_path_factory.mktemp("slow") / "home",
        {"PENSTOCK_EDGE_RECEIVE_TIMEOUT_S": str(_PATIENCE_S)},
        ("sh", "-c", 'ulimit -S -n 256; exec "$@"', "sh"),
    )
    with killed_at_the_end(edge):
        edge.start_ready()
        yield edge


def test_clients_that_send_a_part_and_no_more_are_told_and_left(slow_edge: Edge) -> None:
    kinds = ("nothing", "half of its first line", "half of its headers", "half of its body", "half of a chunk")
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(slow_edge)) for _ in kinds]
        for kind, connection in zip(kinds, connections, strict=True):
            connection.sendall(half_a_request(kind))
        sent = time.monotonic()
        for connection in connections:
            answer = b"".join(iter(lambda: connection.recv(4096), b""))  # noqa: B023  # called at once
            assert answer.startswith(b"HTTP/1.1 408 ") and b"send it again" in answer
            assert time.monotonic() - sent >= _PATIENCE_S - 1


def test_a_client_that_drips_its_request_is_left_as_well(slow_edge: Edge) -> None:
    with connect(slow_edge) as connection:
        deadline = time.monotonic() + 60
        with pytest.raises(OSError):  # the server has gone
            for byte in half_a_request("half of its headers") + b"x: " + b"a" * 1000:
                connection.sendall(bytes([byte]))
                time.sleep(0.1)
                assert time.monotonic() < deadline


def test_many_half_sent_requests_starve_nobody_and_a_connection_in_use_outlives_the_limit(slow_edge: Edge) -> None:
    body = chat_body([2_000])
    whole = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n"
    whole += b"content-length: %d\r\n\r\n" % len(body) + body
    with ExitStack() as connections:
        for number in range(_CLIENTS):
            kind = ("nothing", "half of its headers", "half of its body")[number % 3]
            connections.enter_context(connect(slow_edge)).sendall(half_a_request(kind))
        for number in range(1, 51):
            assert send_chats(slow_edge.url, [number]) == 200
        used = connections.enter_context(connect(slow_edge))
        until = time.monotonic() + 2 * _PATIENCE_S
        while time.monotonic() < until:
            used.sendall(whole)
            assert used.recv(4096).startswith(b"HTTP/1.1 200 ")
            time.sleep(_PATIENCE_S / 4)
    assert send_chats(slow_edge.url, [51]) == 200
