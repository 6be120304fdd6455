"""Damage in a spool: a row that is no Arrow is put aside, a file that is no database is left alone, and all others flow."""

import re
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from penstock.ingest.settle import settle_interactions
from penstock.ingest.spool import Spool
from penstock.records.clock import WriterClock
from tests.faults.load import send_chats, span_name
from tests.faults.processes import Edge, killed_at_the_end
from tests.faults.stored import open_lake, require_exactly_once, span_ids
from tests.ingest.spooled import PLENTY

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


def change_bodies(path: Path, contents: dict[int, bytes]) -> None:
    """Have the bodies with these numbers, from 1 on, hold other bytes, as if they had been sent so."""
    spool = Spool(path, PLENTY)
    numbers = count(1)
    spool.scrub("none", lambda _table, batch: contents.get(next(numbers), batch))
    spool.close()


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
    change_bodies(spool, {2: b"\xff" * 500, 4: b""})
    told = serve(home, names(range(1, 3)) | names(range(5, 7)) | names(range(9, 11)))
    assert told.count("not readable as Arrow") == 2
    with closing(sqlite3.connect(spool)) as connection:
        assert connection.execute("SELECT batch FROM poison ORDER BY id").fetchall() == [(b"\xff" * 500,), (b"",)]


def test_a_file_of_bodies_that_the_disk_has_changed_loses_what_was_changed_and_no_more(home: Path) -> None:
    spool = fill_a_spool(home)
    (file,) = home.glob("spool/*.segment")
    content = bytearray(file.read_bytes())
    starts = [found.start() for found in re.finditer(b"PnSb", content)]
    content[starts[1] + 10] ^= 1  # in a header
    content[starts[3] + 1000] ^= 1  # in a body
    file.write_bytes(content)
    told = serve(home, names(range(1, 3)) | names(range(5, 7)) | names(range(9, 11)))
    assert "are no record" in told and "its checksum is another" in told
    with closing(sqlite3.connect(spool)) as connection:
        assert connection.execute("SELECT table_name, rows FROM poison ORDER BY id").fetchall() == [("", 0), ("spans", 2)]


def test_a_spool_that_is_no_database_is_told_and_left_and_the_others_flow(home: Path) -> None:
    spool = fill_a_spool(home)
    for suffix in ("-wal", "-shm"):
        spool.with_name(spool.name + suffix).unlink(missing_ok=True)
    spool.write_bytes(b"no database" * 1000)
    told = serve(home, set())
    assert f"The spool {spool} cannot be opened" in told
    assert spool.read_bytes() == b"no database" * 1000


def test_a_database_with_a_corrupt_page_holds_up_nobody_else(home: Path) -> None:
    spool = fill_a_spool(home)
    with closing(sqlite3.connect(spool)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'batches'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(spool.read_bytes())
    content[(root - 1) * size : root * size] = b"\xa5" * size
    spool.write_bytes(content)
    told = serve(home, set())
    assert str(spool) in told and "malformed" in told
