"""Signals that users declare, over a real lake."""

from pathlib import Path
from typing import Any

import pytest

from penstock.errors import BadInputError, ConfigurationError
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.signal import Signal
from penstock.settings import SignalSettings
from penstock.signals.definition import label
from penstock.signals.definitions import DEFINITIONS
from penstock.signals.run import run_signals
from penstock.signals.trial import try_definition
from penstock.signals.user_defined import user_definition, user_definitions
from tests.rows import make_interaction, matched

LONG = (
    "SELECT interaction_id, length(response_text) AS value, prompt_text AS asked FROM interactions "
    "WHERE length(response_text) > 3"
)


def run(lake: Lake, clock: WriterClock, home: Path, **declared: Any) -> list[Signal]:
    definition = user_definition("mine", SignalSettings(**declared), home)
    run_signals(lake, clock, definitions={"mine": definition})
    rows: list[Signal] = lake.to_records("signals", lake.current("signals"))
    return sorted(
        (row for row in rows if row.definition == label(definition)), key=lambda row: (row.value is not None, row.target_id)
    )


def answers(lake: Lake, *texts: str) -> list[str]:
    rows = [make_interaction(at, response_text=text, prompt_text="?", session_id="c") for at, text in enumerate(texts)]
    lake.append("interactions", rows)
    return [row.interaction_id for row in rows]


def test_a_select_gives_values_and_whatever_else_it_selects_is_evidence(lake: Lake, clock: WriterClock, home: Path) -> None:
    _, long = answers(lake, "ab", "abcdef")
    (row,) = run(lake, clock, home, sql=LONG)
    assert (row.target_id, row.value, row.evidence, row.name, row.source) == (long, 6.0, {"asked": "?"}, "mine", "user")
    assert row.occurred_at == make_interaction(1).ended_at


def test_a_select_may_speak_of_sessions_and_of_reports(lake: Lake, clock: WriterClock, home: Path) -> None:
    answers(lake, "ab", "abcdef")
    sql = "SELECT session_id, count(*) AS value FROM interactions GROUP BY session_id"
    (row,) = run(lake, clock, home, sql=sql, target="session")
    assert (row.target_kind, row.target_id, row.value) == ("session", "c", 2.0)
    lake.append("feedback", [matched("stars", make_interaction(0, session_id="c"), value=4.0)])
    sql = "SELECT interaction_id, value / 5 AS value, occurred_at FROM reports WHERE name = 'stars'"
    gone, row = run(lake, clock, home, sql=sql, source="reports")
    assert (row.value, gone.target_kind, gone.value) == (0.8, "session", None)


def test_a_function_gives_a_value_a_mapping_or_nothing(lake: Lake, clock: WriterClock, home: Path) -> None:
    (home / "mine.py").write_text(
        "def judge(row):\n"
        "    size = len(row['response_text'])\n"
        "    return None if size < 2 else size if size < 4 else {'value': True, 'text': 'long', 'size': size}\n"
    )
    answers(lake, "a", "abc", "abcdef")
    found = run(lake, clock, home, python="mine.py:judge")
    assert sorted((row.value, row.text, row.evidence.get("size")) for row in found) == [(1.0, "long", "6"), (3.0, None, None)]


def test_a_function_that_fails_on_a_row_says_so_there_and_reads_all_others(lake: Lake, clock: WriterClock, home: Path) -> None:
    (home / "mine.py").write_text("def judge(row):\n    return 1 / (len(row['response_text']) - 2)\n")
    answers(lake, "a", "ab", "abc")
    found = run(lake, clock, home, python="mine.py:judge")
    assert sorted((row.value is None, row.evidence.get("error", "")) for row in found) == [
        (False, ""),
        (False, ""),
        (True, "ZeroDivisionError: division by zero"),
    ]


def test_a_changed_select_gives_new_rows_beside_the_old(lake: Lake, clock: WriterClock, home: Path) -> None:
    answers(lake, "abcdef")
    (first,) = run(lake, clock, home, sql=LONG)
    (second,) = run(lake, clock, home, sql=LONG.replace("length(response_text) AS", "2 * length(response_text) AS"))
    assert (first.value, second.value) == (6.0, 12.0)
    assert first.definition != second.definition
    assert lake.current("signals").count().to_pyarrow().as_py() == 2


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({}, "needs either `sql` or `python`"),
        ({"sql": "SELECT 1", "python": "a:b"}, "and not both"),
        ({"python": "nonsense"}, "neither `module:function` nor `file.py:function`"),
        ({"python": "no_such_module_at_all:f"}, "cannot be imported"),
        ({"python": "missing.py:f"}, "cannot be loaded"),
        ({"python": "math:no_such"}, "cannot be imported"),
        ({"python": "penstock.errors:no_such"}, "has no function 'no_such'"),
    ],
)
def test_what_is_no_definition_is_refused_with_the_reason(declared: dict[str, str], message: str, home: Path) -> None:
    with pytest.raises(ConfigurationError, match=message):
        user_definition("mine", SignalSettings(**declared), home)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT interaction_id FROM interactions", "gives no column value; it gives interaction_id"),
        ("SELECT interaction_id, no_such AS value FROM interactions", "no_such"),
        ("SELEC nonsense", "does not run"),
        ("SELECT 1 AS value; DROP TABLE x", "2 statements"),
    ],
)
def test_a_select_that_does_not_run_is_left_out_and_all_other_signals_are_found(
    lake: Lake, clock: WriterClock, home: Path, sql: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    answers(lake, "abcdef")
    definition = user_definition("mine", SignalSettings(sql=sql), home)
    with pytest.raises(ConfigurationError, match=message):
        try_definition(lake, definition, 10, clock.known_at())
    lake.append("feedback", [matched("copy", make_interaction(0, session_id="c"))])
    assert run_signals(lake, clock, definitions={**DEFINITIONS, "mine": definition})["copy"] == 1
    assert "left out until it is mended" in caplog.text
    (row,) = run(lake, clock, home, sql=LONG)
    assert row.value == 6.0


def test_the_log_does_not_quote_what_a_select_stumbles_on(
    lake: Lake, clock: WriterClock, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answers(lake, "Jane's number is 5")
    select = "SELECT interaction_id, CAST(response_text AS DOUBLE) AS value FROM interactions"
    with pytest.raises(BadInputError, match=r"fails on a row: .* TRY_CAST"):
        try_definition(lake, user_definition("mine", SignalSettings(sql=select), home), 10, clock.known_at())
    assert run(lake, clock, home, sql=select) == []
    assert "left out until it is mended: ConversionException: Conversion Error: Could not convert string" in caplog.text
    assert "Jane" not in caplog.text


def test_names_are_small_and_not_taken(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="taken by a built-in"):
        user_definitions({"copy": SignalSettings(sql=LONG)}, DEFINITIONS, home)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        user_definitions({"My Signal": SignalSettings(sql=LONG)}, DEFINITIONS, home)


@pytest.mark.parametrize(
    "given",
    [
        "response_text AS occurred_at",
        "5 AS occurred_at",
        "[1, 2] AS occurred_at",
        "(SELECT content FROM read_text('/etc/hostname')) AS host",
        "(SELECT count(*) FROM '/etc/hostname') AS host",
        "(SELECT count(*) FROM read_csv('/nosuch.csv')) AS host",
        "(SELECT count(*) FROM query('SELECT 1')) AS host",
        "(SELECT count(*) FROM reports) AS others",
    ],
)
def test_a_select_that_cannot_be_is_left_out_and_all_others_are_found(
    lake: Lake, clock: WriterClock, home: Path, given: str, caplog: pytest.LogCaptureFixture
) -> None:
    answers(lake, "ab", "abcdef")
    declared = {
        "mine": SignalSettings(sql=f"SELECT interaction_id, 1 AS value, {given} FROM interactions"),
        "fine": SignalSettings(sql=LONG),
    }
    run_signals(lake, clock, definitions=user_definitions(declared, DEFINITIONS, home))
    rows = lake.to_records("signals", lake.current("signals"))
    assert [row.name for row in rows] == ["fine"]
    assert "The signal mine@" in caplog.text and "[signals.mine]" in caplog.text


@pytest.mark.parametrize(
    "time", ["NULL", "TIMESTAMP 'infinity'", "TIMESTAMP '290000-01-01'", "DATE '0001-01-01'", "TIMESTAMPTZ '-infinity'"]
)
def test_a_time_that_is_none_is_the_interactions_own(lake: Lake, clock: WriterClock, home: Path, time: str) -> None:
    answers(lake, "ab")
    (row,) = run(lake, clock, home, sql=f"SELECT interaction_id, 1 AS value, {time} AS occurred_at FROM interactions")
    assert row.occurred_at == make_interaction(0).ended_at


def test_a_time_that_is_one_counts(lake: Lake, clock: WriterClock, home: Path) -> None:
    answers(lake, "ab")
    (row,) = run(lake, clock, home, sql="SELECT interaction_id, 1 AS value, started_at AS occurred_at FROM interactions")
    assert row.occurred_at == make_interaction(0).started_at


@pytest.mark.parametrize("value", ["'nan'::DOUBLE", "'inf'::DOUBLE", "'-inf'::FLOAT"])
def test_a_value_that_is_no_finite_number_is_none(lake: Lake, clock: WriterClock, home: Path, value: str) -> None:
    answers(lake, "ab")
    (row,) = run(lake, clock, home, sql=f"SELECT interaction_id, {value} AS value, 'x' AS why FROM interactions")
    assert (row.value, row.evidence) == (None, {"why": "x", "error": "the value is no finite number"})


@pytest.mark.parametrize("said", ["float('nan')", "{'value': float('inf'), 'why': 'x'}"])
def test_a_function_that_gives_no_finite_number_gives_none(lake: Lake, clock: WriterClock, home: Path, said: str) -> None:
    answers(lake, "ab")
    (home / "mine.py").write_text(f"def judge(row):\n    return {said}\n")
    (row,) = run(lake, clock, home, python="mine.py:judge")
    assert row.value is None and row.evidence["error"] == "the value is no finite number"


def test_a_function_that_ends_the_program_ends_nothing(lake: Lake, clock: WriterClock, home: Path) -> None:
    answers(lake, "ab")
    (home / "mine.py").write_text("def judge(row):\n    raise SystemExit(3)\n")
    (row,) = run(lake, clock, home, python="mine.py:judge")
    assert (row.value, row.evidence) == (None, {"error": "SystemExit: 3"})
    (home / "ends.py").write_text("raise SystemExit(7)\n")
    with pytest.raises(ConfigurationError, match="SystemExit: 7"):
        user_definition("mine", SignalSettings(python="ends.py:judge"), home)


def test_of_several_rows_about_one_target_the_last_counts_and_of_these_the_highest(
    lake: Lake, clock: WriterClock, home: Path
) -> None:
    first, _ = answers(lake, "ab", "abcdef")
    both = "SELECT interaction_id, {} AS value FROM interactions"
    rows = run(lake, clock, home, sql=" UNION ALL ".join(both.format(value) for value in (1, 3, 2)))
    assert [row.value for row in rows] == [3.0, 3.0]
    early = "SELECT interaction_id, 9 AS value, started_at AS occurred_at FROM interactions"
    late = "SELECT interaction_id, 1 AS value, ended_at AS occurred_at FROM interactions"
    assert {row.target_id: row.value for row in run(lake, clock, home, sql=f"{early} UNION ALL {late}")}[first] == 1.0


def test_a_select_may_use_its_own_tables_and_series(lake: Lake, clock: WriterClock, home: Path) -> None:
    answers(lake, "ab")
    sql = (
        "WITH long AS (SELECT * FROM interactions WHERE length(response_text) > 1) "
        "SELECT i.interaction_id, count(*) AS value FROM long AS i, range(3) AS r GROUP BY ALL"
    )
    (row,) = run(lake, clock, home, sql=sql)
    assert row.value == 3.0


def test_a_function_is_told_which_turn_of_the_session_it_is(lake: Lake, clock: WriterClock, home: Path) -> None:
    answers(lake, "ab", "abcdef", "abc")
    (home / "mine.py").write_text("def judge(row):\n    return row['turn_index']\n")
    assert sorted(row.value or 0.0 for row in run(lake, clock, home, python="mine.py:judge")) == [0.0, 1.0, 2.0]
