"""Bodies of the largest size and in the largest number: taken or refused exactly at the limit, in bounded memory."""

import asyncio
import gzip
from pathlib import Path

import aiohttp
import httpx
import pytest

from penstock.settings import EdgeSettings
from tests.faults.load import chat_body, span_name
from tests.faults.processes import Edge, killed_at_the_end
from tests.faults.stored import bring_home, require_exactly_once

_LIMIT_BYTES = 64 * 1024 * 1024
_MOST_MEMORY_BYTES = 1_500_000_000
_CONNECTIONS = 32
_HEADERS = {"content-type": "application/x-protobuf"}


def body_of(size: int) -> tuple[bytes, int]:
    """A request of exactly so many bytes, and how many spans are in it."""
    text = "an answer of some length " * 40
    one = len(chat_body([1], text=text))
    count = size // one - 2
    body = chat_body(list(range(1, count + 1)), text=text)
    return pad(body, size - len(body)), count


def pad(body: bytes, missing: int) -> bytes:
    """Lengthen a request by an unknown field, which a reader skips."""
    for length_bytes in range(1, 5):
        content = missing - 2 - length_bytes  # a tag of two bytes, then the length in groups of seven bits
        if 0 <= content < 1 << 7 * length_bytes and content >= (1 << 7 * (length_bytes - 1) if length_bytes > 1 else 0):
            groups = [content >> 7 * index & 127 | (128 if index < length_bytes - 1 else 0) for index in range(length_bytes)]
            return body + b"\x92\x3f" + bytes(groups) + b"\0" * content
    raise AssertionError(missing)


def most_memory_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


def post(url: str, body: bytes, **headers: str) -> int:
    return httpx.post(f"{url}/v1/traces", content=body, headers={**_HEADERS, **headers}, timeout=100).status_code


def send_around_the_limit(home: Path, limit: int) -> None:
    edge = Edge(home, {"PENSTOCK_EDGE_MAX_BODY_BYTES": str(limit)})
    body, count = body_of(limit)
    assert len(body) == limit
    larger = body + b"\0"
    with killed_at_the_end(edge):
        edge.start_ready()
        assert post(edge.url, body) == 200
        assert post(edge.url, larger) == 413
        assert post(edge.url, gzip.compress(larger, 1), **{"content-encoding": "gzip"}) == 413
        assert post(edge.url, gzip.compress(body, 1), **{"content-encoding": "gzip"}) == 200
        assert most_memory_bytes(edge.pid) < _MOST_MEMORY_BYTES
        edge.stop()
    spans = {span_name(number) for number in range(1, count + 1)}
    require_exactly_once(bring_home(home), spans, set())


def test_the_largest_body_is_taken_and_one_byte_more_is_not(home: Path) -> None:
    send_around_the_limit(home, 4 * 1024 * 1024)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sixty_four_megabytes_are_taken_one_byte_more_is_not_and_memory_stays_bounded(home: Path) -> None:
    assert EdgeSettings().max_body_bytes == _LIMIT_BYTES
    send_around_the_limit(home, _LIMIT_BYTES)


async def send_tiny_bodies(url: str, count: int) -> set[int]:
    """Send one body per span over some connections; the spans that were acknowledged."""
    waiting = iter(range(1, count + 1))
    acknowledged: set[int] = set()

    async def client(session: aiohttp.ClientSession) -> None:
        for number in waiting:
            async with session.post(f"{url}/v1/traces", data=chat_body([number]), headers=_HEADERS) as response:
                if response.status == 200:
                    acknowledged.add(number)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS)) as session:
        await asyncio.gather(*(client(session) for _ in range(_CONNECTIONS)))
    return acknowledged


def count_tiny_bodies(home: Path, count: int) -> None:
    edge = Edge(home)
    with killed_at_the_end(edge):
        edge.start_ready()
        acknowledged = asyncio.run(send_tiny_bodies(edge.url, count))
        edge.stop()
    assert len(acknowledged) == count
    names = {span_name(number) for number in acknowledged}
    require_exactly_once(bring_home(home), names, names)


def test_a_thousand_tiny_bodies_are_all_there_once(home: Path) -> None:
    count_tiny_bodies(home, 1000)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_tiny_bodies_are_all_there_once(home: Path) -> None:
    count_tiny_bodies(home, 10_000)
