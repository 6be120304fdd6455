"""The index opens every file that holds an id, and few others."""

import pytest

from penstock.lake.lake import Lake
from penstock.lake.maintenance import Maintained
from penstock.records.clock import utc_now
from tests.lake.rows import make_signal, shown


def _files_opened(lake: Lake, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """How many files a look-up names in its SQL."""
    opened: list[str] = []
    build = Lake._expression

    def remember(self: Lake, table: str, sql: str) -> object:
        opened.append(sql)
        return build(self, table, sql)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "_expression", remember)
        lake.rows_with("signals", "signal_id", ids)
    return opened[0].count(".parquet'") - 1  # beside the empty one


def test_rows_are_found_wherever_they_lie_and_only_their_files_are_opened(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        lake.append("signals", [make_signal(number), make_signal(100 + number)])
    lake.append("signals", [make_signal(3, 1)])
    assert shown(lake, lake.rows_with("signals", "signal_id", ["s_3", "s_105"])) == [("s_105", 0), ("s_3", 0), ("s_3", 1)]
    assert _files_opened(lake, ["s_3", "s_105"], monkeypatch) == 3
    assert _files_opened(lake, ["s_none"], monkeypatch) == 0


def test_files_whose_rows_are_at_hand_are_left_out(lake: Lake) -> None:
    lake.append("signals", [make_signal(1), make_signal(2)])
    before = lake.version("signals")
    lake.append("signals", [make_signal(1, 1), make_signal(3)])
    new = lake.changes("signals", before)
    assert new.rows.num_rows == 2
    ids = new.rows.select(["signal_id"])
    assert shown(lake, lake.rows_with("signals", "signal_id", ids, besides=new.files)) == [("s_1", 0)]


def test_files_that_come_later_are_taken_in(lake: Lake) -> None:
    assert shown(lake, lake.rows_with("signals", "signal_id", ["s_0"])) == []
    for number in range(40):
        lake.append("signals", [make_signal(number)])
        assert shown(lake, lake.rows_with("signals", "signal_id", [f"s_{number}"])) == [(f"s_{number}", 0)]
    assert len(shown(lake, lake.rows_with("signals", "signal_id", [f"s_{number}" for number in range(0, 40, 7)]))) == 6


def test_many_ids_at_once_are_found_too(lake: Lake) -> None:
    for part in range(3):
        lake.append("signals", [make_signal(part * 100 + number) for number in range(100)])
    assert len(shown(lake, lake.rows_with("signals", "signal_id", [f"s_{number}" for number in range(50, 250)]))) == 200


def test_a_compaction_in_between_changes_nothing(lake: Lake) -> None:
    eager = Lake(lake.root, lake.settings)
    for number in range(60):
        eager.append("signals", [make_signal(number)])
    assert len(shown(eager, eager.rows_with("signals", "signal_id", ["s_7", "s_55"]))) == 2
    done: list[Maintained] = eager.maintain(utc_now())
    assert any(one.compacted for one in done)
    assert len(shown(eager, eager.rows_with("signals", "signal_id", ["s_7", "s_55"]))) == 2


def test_rows_without_the_id_are_no_obstacle(lake: Lake) -> None:
    lake.append("signals", [make_signal(0, session_id=None), make_signal(1, session_id="chat")])
    assert shown(lake, lake.rows_with("signals", "session_id", ["chat"])) == [("s_1", 0)]


def test_only_the_days_asked_for_are_read(lake: Lake) -> None:
    lake.append("signals", [make_signal(0), make_signal(1, day=2)])
    day = make_signal(1, day=2).occurred_at.date()
    assert shown(lake, lake.rows_with("signals", "signal_id", ["s_0", "s_1"], dates=(day, day))) == [("s_1", 0)]


def test_ids_are_found_once_each_and_superseded_rows_count(lake: Lake) -> None:
    lake.append("signals", [make_signal(1, session_id="a"), make_signal(2, session_id="a"), make_signal(3, session_id="b")])
    lake.append("signals", [make_signal(1, 1, session_id="b")])
    assert sorted(lake.ids_with("signals", "session_id", ["a"]).column("signal_id").to_pylist()) == ["s_1", "s_2"]
    assert sorted(lake.ids_with("signals", "session_id", ["a", "b"]).column("signal_id").to_pylist()) == ["s_1", "s_2", "s_3"]
    assert lake.ids_with("signals", "session_id", []).num_rows == 0


def test_current_rows_are_the_same_however_they_are_looked_for(lake: Lake) -> None:
    for number in range(4):
        lake.append("signals", [make_signal(number), make_signal(1, number)])
    for ids in ([], ["s_1"], ["s_1", "s_3", "s_none"]):
        found = shown(lake, lake.current("signals", ids=ids))
        assert shown(lake, lake.current("signals", ids=ids, indexed=True)) == found
        assert shown(lake, lake.current("signals", ids=ids, pinned=True)) == found
        assert shown(lake, lake.current("signals", ids=ids, indexed=True, pinned=True)) == found


def test_pinned_rows_stay_those_that_counted_when_they_were_asked_for(lake: Lake) -> None:
    lake.append("signals", [make_signal(number) for number in range(100)])
    pinned = lake.current("signals", ids=[f"s_{number}" for number in range(100)], pinned=True)
    lake.append("signals", [make_signal(1, 1)])
    assert ("s_1", 0) in shown(lake, pinned) and ("s_1", 1) in shown(lake, lake.current("signals"))
    del pinned
    assert len(shown(lake, lake.current("signals", ids=["s_1"]))) == 1
