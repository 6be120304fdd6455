"""Damage in a spool: a row that is no Arrow is put aside, a file that is no database is left alone, and all others flow."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from penstock.ingest.settle import settle_interactions
from penstock.records.clock import WriterClock
from tests.faults.load import send_chats, span_name
from tests.faults.processes import Edge, killed_at_the_end
from tests.faults.stored import open_lake, require_exactly_once, span_ids

pytestmark = pytest.mark.timeout(300)


def fill_a_spool(home: Path) -> Path:
    """Five bodies of two spans each in the spool of an edge that died, and had no lake to write to."""
    obstacle = home / "lake"
    obstacle.write_text("not a lake")
    edge = Edge(home)
    with killed_at_the_end(edge):
        edge.start_ready()
        for number in range(5):
            assert send_chats(edge.url, [1 + 2 * number, 2 + 2 * number]) == 200
    obstacle.unlink()
    (path,) = (home / "spool").glob("*.db")
    return path


def change_body(spool: Path, body: int, content: bytes) -> None:
    with closing(sqlite3.connect(spool, isolation_level=None)) as connection:
        assert connection.execute("UPDATE bodies SET batch = ? WHERE id = ?", (content, body)).rowcount == 1


def names(numbers: range) -> set[str]:
    return {span_name(number) for number in numbers}


def serve(home: Path, expected: set[str]) -> str:
    """Run an edge until these spans and another are in the lake, and no more; what it said."""
    edge = Edge(home)
    edge.log.unlink()
    with killed_at_the_end(edge):
        edge.start_ready()
        assert send_chats(edge.url, [1_000]) == 200
        edge.stop()
    lake = open_lake(home)
    settle_interactions(lake, WriterClock())
    wanted = expected | {span_name(1_000)}
    require_exactly_once(lake, wanted, wanted)
    assert set(span_ids(lake, "interactions")) == wanted
    return edge.log.read_text()


def test_rows_of_a_spool_that_are_corrupt_are_put_aside_and_the_others_flow(home: Path) -> None:
    spool = fill_a_spool(home)
    change_body(spool, 2, b"\xff" * 500)
    change_body(spool, 4, b"")
    told = serve(home, names(range(1, 3)) | names(range(5, 7)) | names(range(9, 11)))
    assert told.count("not readable as Arrow") == 2
    with closing(sqlite3.connect(spool)) as connection:
        assert connection.execute("SELECT id, batch FROM poison ORDER BY id").fetchall() == [(2, b"\xff" * 500), (4, b"")]


def test_a_spool_that_is_no_database_is_told_and_left_and_the_others_flow(home: Path) -> None:
    spool = fill_a_spool(home)
    for suffix in ("-wal", "-shm"):
        spool.with_name(spool.name + suffix).unlink(missing_ok=True)
    spool.write_bytes(b"no database" * 1000)
    told = serve(home, set())
    assert f"The spool {spool} cannot be opened" in told
    assert spool.read_bytes() == b"no database" * 1000


def test_a_spool_with_a_corrupt_page_holds_up_nobody_else(home: Path) -> None:
    spool = fill_a_spool(home)
    with closing(sqlite3.connect(spool)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'bodies'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(spool.read_bytes())
    content[(root - 1) * size : root * size] = b"\xa5" * size
    spool.write_bytes(content)
    told = serve(home, set())
    assert str(spool) in told and "malformed" in told
