"""The example from end to end, in small: what goes in through the door comes out as a curve, by way of every table between."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from examples.card_testing.__main__ import parse
from examples.card_testing.attackers import APPEAR
from examples.card_testing.chart import draw_chart
from examples.card_testing.epochs import Epoch, epochs_of, figures_by_epoch
from examples.card_testing.figures import Mean, TurnFigures, mean_of, mean_of_known, means, read_figures
from examples.card_testing.stream import ArmResult, Scenario, run_arm

from penstock.app import Penstock
from penstock.settings import Settings

TINY = Scenario(seed=1, days=3, daily=400, attacks=150, warm_up_days=1, turn_days=1, rounds=10)


def query(home: Path, sql: str) -> list[dict[str, object]]:
    connection = Penstock(Settings(home=str(home))).lake.sql_connection()
    rows: list[dict[str, object]] = connection.select(sql).to_pylist()
    connection.close()
    return rows


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ArmResult]:
    home = tmp_path_factory.mktemp("cards") / "hours"
    return home, run_arm("hours", TINY, home)


@pytest.mark.slow
def test_a_turn_is_taken_behind_the_gate_and_figures_come_out_of_the_lake(hours: tuple[Path, ArmResult]) -> None:
    home, result = hours
    figures = read_figures(home)
    assert [one.turn for one in figures] == [0, 1]
    assert all(0 <= one.detected <= 1 and one.false_positives <= 0.01 for one in figures)
    assert figures[0].detected_by_first == figures[0].detected  # the first checkpoint is what serves then
    assert figures[1].detected_by_first <= 1
    assert [one.state for one in result.turns] in (["released"], ["refused"])


@pytest.mark.slow
def test_every_transaction_leads_from_its_score_to_its_label_and_no_personal_data_was_needed(
    hours: tuple[Path, ArmResult],
) -> None:
    home, _result = hours
    (counts,) = query(
        home,
        "SELECT count(*) AS rows, count(checkpoint_id) AS scored, count(*) FILTER (WHERE exposure = 'simulated') AS marked, "
        "count(*) FILTER (WHERE cardinality(redactions) > 0) AS redacted FROM interactions",
    )
    assert counts["rows"] == counts["marked"]
    assert counts["redacted"] == 0
    assert 0 < int(str(counts["scored"])) < int(str(counts["rows"]))
    (labels,) = query(
        home,
        "SELECT count(*) AS labels, min(known_at - started_at) > INTERVAL 0 SECOND AS later FROM labels "
        "WHERE annotator = 'votes@1'",
    )
    assert int(str(labels["labels"])) > 100 and labels["later"]
    (unexplained,) = query(home, "SELECT count(*) AS n FROM labels WHERE annotator = 'votes@1' AND len(signal_ids) = 0")
    assert unexplained["n"] == 0


@pytest.mark.slow
def test_what_was_passed_by_lot_keeps_its_probability(hours: tuple[Path, ArmResult]) -> None:
    home, _result = hours
    (lots,) = query(home, "SELECT count(*) AS n, min(probability) AS least FROM draws WHERE purpose LIKE 'pass-through%'")
    assert int(str(lots["n"])) > 0 and lots["least"] == 0.2
    sql = "SELECT DISTINCT inclusion_probability AS p FROM labels WHERE annotator = 'votes@1' ORDER BY p"
    assert {row["p"] for row in query(home, sql)} <= {0.2, 1.0}


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["week", "hours", "oracle"])
def test_an_arm_is_the_same_for_a_seed(arm: str, tmp_path: Path) -> None:
    scenario = Scenario(seed=2, days=5, daily=400, attacks=150, warm_up_days=2, turn_days=1, rounds=10)
    one, two = (run_arm(arm, scenario, tmp_path / name) for name in ("one", "two"))  # type: ignore[arg-type]
    assert read_figures(tmp_path / "one") == read_figures(tmp_path / "two")
    assert one.turns == two.turns


def test_means_over_seeds_have_an_interval_and_one_seed_has_none() -> None:
    assert mean_of([0.5]) == Mean(value=0.5, low=None, high=None)
    one = mean_of([0.4, 0.6])
    assert (one.value, one.low, one.high) == (0.5, 0.0, 1.0)
    assert means([[0.7], [0.9]])[0].value == pytest.approx(0.8)
    assert mean_of_known([0.5, None]) == mean_of([0.5])
    assert mean_of_known([None]) is None


def turn(number: int, detected: float, of_newest: float | None) -> TurnFigures:
    return TurnFigures(
        turn=number,
        frauds=1,
        honest=1,
        detected=detected,
        detected_of_newest=of_newest,
        detected_by_first=0.0,
        false_positives=0.0,
    )


def test_an_epoch_begins_with_the_turn_that_first_meets_a_new_pattern() -> None:
    epochs = epochs_of(Scenario())
    assert [epoch.day for epoch in epochs] == sorted(set(APPEAR[2:]))
    assert [turn for epoch in epochs for turn in epoch.turns] == list(range(12))
    figures = [[turn(0, 0.5, 0.2), turn(1, 0.7, 0.6), turn(2, 0.9, 0.8)]]
    (one,) = figures_by_epoch(figures, [Epoch(day=4.0, turns=(0, 1, 2))])
    assert (one.first_turn.value, one.newest_at_first) == (0.5, mean_of([0.2]))
    assert one.later_turns is not None and one.later_turns.value == pytest.approx(0.8)
    assert one.newest_later is not None and one.newest_later.value == pytest.approx(0.7)
    (alone,) = figures_by_epoch(figures, [Epoch(day=4.0, turns=(0,))])
    assert alone.later_turns is None


def test_the_chart_is_a_picture_of_every_arm() -> None:
    line = [Mean(value=0.5, low=0.4, high=0.6), Mean(value=0.9, low=0.8, high=1.0)]
    picture = draw_chart({"week": line, "hours": line, "oracle": line}, [4.0, 6.0], [4.0], 0.01, 5)
    root = ElementTree.fromstring(picture)
    names = [child.tag.rpartition("}")[2] for child in root.iter()]
    assert (names.count("polyline"), names.count("polygon"), names.count("circle")) == (3, 3, 6)
    assert "oracle" in picture and "5 seeds" in picture


def test_what_cannot_be_run_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--days", "3"])
    assert "--days is 3" in capsys.readouterr().err
    assert parse(["--seed", "7", "--json"]).seed == 7
