import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from penstock.app import Penstock
from penstock.cli import build_cli
from penstock.errors import ConfigurationError, ConflictError
from penstock.records.clock import utc_now
from penstock.settings import Settings
from penstock.signals.run import run_signals
from penstock.worker.judging import LEASE
from tests.judging.scripted_judge import running_judge
from tests.rows import at, make_span, trace
from tests.signals.test_next_turn import asks


def test_what_is_settled_by_hand_is_sampled_as_the_worker_does(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_POLICY_SAMPLE_SAMPLING_PERCENTAGE", "0.001")
    penstock = Penstock(settings)
    penstock.lake.append("spans", [make_span(trace(1), "s", response_text="hello", content_present=True)])
    result = CliRunner().invoke(build_cli("signals"), ["signals", "run", "--home", settings.home], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    (row,) = penstock.lake.to_records("interactions", penstock.lake.current("interactions"))
    assert (row.content_sampled, row.response_text, row.sample_probability) == (False, None, 0.00001)


def test_the_judge_is_asked_once_by_hand_and_listed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    penstock = Penstock(settings)
    lately = (utc_now() - at(0)).total_seconds() - 60
    penstock.lake.append("interactions", [asks(0, lately, "sort", response_text="x"), asks(1, lately + 10, "hmm")])
    run_signals(penstock.lake, penstock.clock)
    with pytest.raises(ConfigurationError, match="no judge"):
        typed("judge", "--home", settings.home)
    with running_judge() as server:
        monkeypatch.setenv("PENSTOCK_JUDGE_MODEL", "judge")
        monkeypatch.setenv("PENSTOCK_JUDGE_BASE_URL", server.base_url)
        said = json.loads(typed("judge", "--home", settings.home, "--json"))
        assert (said["answered"], said["left_today"]) == (1, 999)
        assert "feedback_judge@1" in typed("list", "--home", settings.home)
        penstock.registry.leases.acquire(LEASE, "worker@there", 600.0, utc_now())
        with pytest.raises(ConflictError, match="Another process"):
            typed("judge", "--home", settings.home)


def typed(*arguments: str) -> str:
    result = CliRunner().invoke(build_cli("signals"), ["signals", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_definition_is_tried_on_the_newest_traffic_and_nothing_is_written(settings: Settings) -> None:
    penstock = Penstock(settings)
    rows = [asks(number, number * 3_000.0, "x" * (number + 1), session_id=f"c{number}") for number in range(40)]
    penstock.lake.append("interactions", rows)
    given = ("try", "length", "--sql", "SELECT interaction_id, length(prompt_text) AS value, 'a' AS kind_of FROM interactions")
    told = json.loads(typed(*given, "--sample", "10", "--examples", "3", "--home", settings.home, "--json"))
    assert (told["interactions"], told["targets"], told["with_value"], told["errors"]) == (10, 10, 10, 0)
    assert (told["quantiles"]["least"], told["quantiles"]["most"]) == (31.0, 40.0)
    assert [one["evidence"] for one in told["examples"]] == [{"kind_of": "a"}] * 3
    shown = typed(*given, "--home", settings.home)
    assert "median" in shown
    assert "kind_of a" in shown
    assert penstock.lake.revisions("signals").count().to_pyarrow().as_py() == 0


def test_a_name_that_penstock_toml_refuses_is_refused_when_tried(settings: Settings) -> None:
    given = ("--sql", "SELECT interaction_id, 1 AS value FROM interactions", "--home", settings.home)
    for name, reason in (("Not Good", "cannot be used"), ("copy", "is taken"), ("feedback_judge", "is taken")):
        with pytest.raises(ConfigurationError, match=reason):
            typed("try", name, *given)


def test_a_trial_that_finds_nothing_says_so(settings: Settings) -> None:
    given = (
        "try",
        "mine",
        "--sql",
        "SELECT 'elsewhere' AS interaction_id, 1 AS value FROM interactions",
        "--home",
        settings.home,
    )
    assert "no interaction to try it on" in typed(*given)
    Penstock(settings).lake.append("interactions", [asks(0, 0.0, "x")])
    told = typed(*given)
    assert "found nothing among the newest 1 interactions" in told
    assert "its interaction_id is one of `interactions`" in told
    assert "is one of" not in typed("try", "copy", "--home", settings.home)


def test_signals_that_are_errors_alone_are_counted_and_told(settings: Settings) -> None:
    home = Path(settings.home)
    select = "SELECT interaction_id, CAST('nan' AS DOUBLE) AS value FROM interactions"
    (home / "penstock.toml").write_text(f'[signals.broken]\nsql = "{select}"\n')
    Penstock(settings).lake.append("interactions", [asks(0, 0.0, "x"), asks(1, 9.0, "y")])
    result = CliRunner().invoke(build_cli("signals"), ["signals", "run", "--home", settings.home], catch_exceptions=False)
    assert "2 of the 2 signals of broken are errors and no values" in result.stderr
    found = {row["definition"].partition("@")[0]: row for row in json.loads(typed("list", "--home", settings.home, "--json"))}
    assert (found["broken"]["signals"], found["broken"]["errors"]) == (2, 2)
    assert found["copy"]["errors"] == 0
