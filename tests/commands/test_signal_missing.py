"""`penstock signals missing`: the table, the sentences, and what is refused."""

import json
import math

import pytest
from typer.testing import CliRunner

from penstock.app import Penstock
from penstock.cli import build_cli
from penstock.commands.signal_missing import describe_captive, describe_raters
from penstock.errors import BadInputError, NotFoundError
from penstock.signals.captive import Captive
from penstock.signals.missing import Figure, Raters
from penstock.statistics.intervals import Interval
from penstock.statistics.rate_ratio import RateRatio
from tests.rows import make_signal
from tests.signals.audited_lake import fill


def run(settings, *arguments):
    typed = ["signals", "missing", "--home", settings.home, *arguments]
    result = CliRunner().invoke(build_cli("signals"), typed, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def raters(share, value, low, high):
    ratio = RateRatio(first=0.2, second=0.1, value=value, interval=Interval(low=low, high=high))
    return Raters(share_of_sessions=Figure(value=share, interval=Interval(low=0.0, high=1.0)), retry=ratio)


def test_raters_are_told_in_a_sentence():
    assert describe_raters(raters(0.007, 2.1, 1.8, 2.5)) == (
        "0.7 % of sessions rate; raters retry 2.1 times as often [1.8, 2.5] as the others."
    )
    assert describe_raters(raters(0.31, 1.1, 0.9, 1.3)).endswith("retry about as often as the others: 1.1 times [0.9, 1.3].")
    assert describe_raters(raters(1.0, math.nan, 0.0, math.inf)).startswith("100 % of sessions rate; whether")


def test_a_captive_segment_is_told_in_a_sentence():
    captive = Captive(
        segment="staff", rating=0.02, rating_elsewhere=0.4, behaviour="retry rate", rate=0.31, rate_elsewhere=0.15, p_value=0.0004
    )
    assert describe_captive(captive) == (
        "staff may be captive: ratings are 0.02 (elsewhere 0.4), but its retry rate is 0.31 (elsewhere 0.15, p 0.0004)."
    )


def test_a_table_for_people_and_the_same_as_json(settings, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    lake = Penstock(settings).lake
    rows = fill(lake)
    lake.append("signals", [make_signal("rating", row, 1.0 if at % 2 else -1.0) for at, row in enumerate(rows[::4])])
    table = run(settings)
    assert "mean rating" in table
    assert "25 % of sessions rate; raters retry" in table
    assert "no figure but the bounds is identified" in table
    told = json.loads(run(settings, "--json"))
    assert told["interactions"] == 400
    assert told["sentences"][0] in table
    rating = next(answer for answer in told["answers"] if answer["rate"] == "mean rating")
    assert rating["bounds"]["low"] == pytest.approx(-0.75)


def test_without_ratings_or_signals_it_says_so(settings):
    assert "There is no signal on this traffic." in run(settings)
    fill(Penstock(settings).lake, audited=0)
    assert "Nobody rates: of explicit ratings nothing is known, of anybody." in run(settings)


def test_what_cannot_be_meant_is_refused(settings):
    for arguments in (("--by", "colour"), ("--since", "never"), ("--exposure", "mine"), ("--reading", "retry")):
        with pytest.raises(BadInputError):
            run(settings, *arguments)
    with pytest.raises(NotFoundError, match="--reading nosuch: there is no such signal"):
        run(settings, "--reading", "nosuch:bad>=1")
