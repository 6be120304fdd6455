"""Tombstones keep out what was erased, and say nothing of whom."""

import pytest

from penstock.errors import StorageError
from penstock.ingest.tombstones import (
    ErasureList,
    Tombstones,
    add_tombstones,
    drop_erased,
    session_tombstone,
    target_tombstone,
    user_tombstone,
)
from penstock.lake.arrow_schema import to_arrow
from penstock.lake.place import Place
from penstock.lake.tables import TABLES
from tests.rows import make_feedback, make_span, trace

USER = "u_" + "a" * 24


def _tombstones() -> Tombstones:
    return Tombstones(
        users=frozenset({user_tombstone(USER)}),
        sessions=frozenset({session_tombstone("chat")}),
        traces=frozenset({trace(1)}),
        targets=frozenset({target_tombstone("request", None, "r1"), target_tombstone("span", None, "ab:cd")}),
    )


def test_spans_go_by_user_session_or_trace() -> None:
    spans = [
        make_span(trace(5), "a", user_id=USER),
        make_span(trace(6), "b", session_id="chat"),
        make_span(trace(1), "c"),
        make_span(trace(7), "d", user_id="u_other", session_id="other"),
        make_span(trace(8), "e"),
    ]
    kept = drop_erased("spans", to_arrow(TABLES["spans"], spans), _tombstones())
    assert kept.column("span_id").to_pylist() == ["d", "e"]


def test_reports_go_by_what_they_name() -> None:
    reports = [make_feedback("copy", kind, target) for kind, target in (("request", "r1"), ("request", "r2"), ("span", "AB:cd"))]
    kept = drop_erased("feedback", to_arrow(TABLES["feedback"], reports), _tombstones())
    assert kept.column("target_id").to_pylist() == ["r2"]


def test_without_tombstones_rows_pass_as_they_are() -> None:
    rows = to_arrow(TABLES["spans"], [make_span(trace(1), "a", user_id=USER)])
    assert drop_erased("spans", rows, Tombstones()) is rows


def test_the_list_joins_all_erasures_and_sees_new_ones(root: Place) -> None:
    erased = ErasureList(root)
    assert not erased.read()
    assert erased.newest is None
    add_tombstones(root, "x_1", _tombstones())
    add_tombstones(root, "x_2", Tombstones(users=frozenset({user_tombstone("u_b")})))
    assert erased.read().users == {user_tombstone(USER), user_tombstone("u_b")}
    assert erased.newest == "x_2"
    assert USER.encode() not in (root / "_erased" / "x_1.json").read_bytes()


def test_the_one_added_last_is_the_newest_however_fast_they_come(root: Place) -> None:
    for erasure_id in ("x_2", "x_1"):
        add_tombstones(root, erasure_id, _tombstones())
        fresh = ErasureList(root)
        fresh.read()
        assert fresh.newest == erasure_id


def test_a_torn_list_is_an_error_and_never_an_empty_list(root: Place) -> None:
    add_tombstones(root, "x_1", _tombstones())
    (root / "_erased" / "x_1.json").replace_durably(b"{")
    with pytest.raises(StorageError, match="tombstones"):
        ErasureList(root).read()
