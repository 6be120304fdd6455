"""`penstock signals quality`: what is typed and what is printed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from penstock.app import Penstock
from penstock.cli import build_cli
from penstock.errors import BadInputError, NotFoundError
from penstock.signals.feedback_due import JUDGED
from tests.rows import make_signal
from tests.signals.audited_lake import fill


def run(settings, *arguments):
    typed = ["signals", "quality", "--home", settings.home, *arguments]
    result = CliRunner().invoke(build_cli("signals"), typed, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_table_for_people_and_the_same_figures_as_json(settings, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    lake = Penstock(settings).lake
    rows = fill(lake, segment="pro")
    lake.append("signals", [make_signal("outcome.sold", rows[0], 1.0, definition="outcome@1")])
    table = run(settings, "--by", "segment")
    assert "200 targets audited for 'good'" in table
    assert "Nobody has stated how to read outcome.sold" in table
    told = json.loads(run(settings, "--by", "segment", "--json"))
    precision = next(row["precision"] for row in told["rows"] if row["signal"] == "copy" and row["segment"] == "pro")
    shown = f"{precision['value']:.2f} [{precision['interval']['low']:.2f}, {precision['interval']['high']:.2f}]"
    assert shown in table


def test_what_is_typed_narrows_and_states(settings):
    fill(Penstock(settings).lake)
    told = json.loads(run(settings, "--json", "--since", "2026-03-10", "--until", "2026-03-12", "--reading", "retry:bad>=0.9"))
    assert told["period"] == {"since": "2026-03-10T00:00:00+00:00", "until": "2026-03-12T00:00:00+00:00"}
    assert next(row["reading"] for row in told["rows"] if row["signal"] == "retry") == ">=0.9"


def test_a_judge_s_answers_stand_beside_what_the_cues_say(settings):
    lake = Penstock(settings).lake
    rows = fill(lake)
    lake.append("signals", [make_signal("feedback", row, 1.0) for row in rows[:40]])
    answers = [make_signal("feedback", row, -1.0, definition=JUDGED, signal_id=f"j{at}") for at, row in enumerate(rows[:20])]
    lake.append("signals", answers)
    told = {(row["signal"], row["says"]): row for row in json.loads(run(settings, "--json"))["rows"]}
    assert (told["feedback", "good"]["says_so"], told["feedback", "bad"]["says_so"]) == (40 / len(rows), 0.0)
    assert (told["feedback (judge)", "good"]["says_so"], told["feedback (judge)", "bad"]["says_so"]) == (0.0, 20 / len(rows))
    assert told["feedback (judge)", "bad"]["precision"] is not None


def test_an_outcome_is_read_as_its_definition_says(settings):
    lake = Penstock(settings).lake
    rows = fill(lake)
    lake.append(
        "signals", [make_signal("outcome.refund", row, float(at % 2), definition="outcome@1") for at, row in enumerate(rows)]
    )
    (Path(settings.home) / "penstock.toml").write_text('[outcomes.refund]\nkeys = ["order"]\ngood = "low"\n')
    told = {
        row["says"]: row["reading"] for row in json.loads(run(settings, "--json"))["rows"] if row["signal"] == "outcome.refund"
    }
    assert told == {"good": "<=0", "bad": ">0"}


def test_a_reading_of_a_signal_that_there_is_not_is_refused_and_one_that_was_reported_is_not(settings):
    lake = Penstock(settings).lake
    lake.append("signals", [make_signal("outcome.sold", fill(lake)[0], 1.0, definition="outcome@1")])
    run(
        settings, "--reading", "outcome.sold:good>=1", "--reading", "retention.30s:good>=0.9", "--reading", "retention.*:bad<=0.2"
    )
    with pytest.raises(NotFoundError, match=r"--reading nosuch: there is no such signal; there are .*outcome.sold"):
        run(settings, "--reading", "nosuch:bad>=1")
    with pytest.raises(NotFoundError, match=r"--reading outcome.slod"):
        run(settings, "--reading", "outcome.slod:bad>=1")


def test_an_empty_lake_says_so(settings):
    assert "There is no signal on this traffic." in run(settings)


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (("--since", "yesterday"), "--since 'yesterday' is no time"),
        (("--exposure", "mine"), "--exposure mine"),
        (("--by", "colour"), "--by colour"),
        (("--reading", "retry"), "The reading 'retry'"),
        (("--dimension", "nope"), "No label schema has the dimension 'nope'; there are good, kept, reward"),
        (("--good-from", "nan"), "--good-from nan is no number"),
        (("--good-from", "inf"), "--good-from inf is no number"),
        (("--drift-days", "inf"), "--drift-days inf is no number"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings, arguments, reason):
    with pytest.raises(BadInputError, match=reason):
        run(settings, *arguments)
