"""`penstock outcomes`: what is typed brings outcomes in, or says why it does not."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from penstock.app import Penstock
from penstock.cli import build_cli
from penstock.errors import BadInputError, ConfigurationError, NotFoundError, PenstockError
from tests.edge.conftest import door, edge  # noqa: F401  fixtures
from tests.outcomes.clone import Clone
from tests.outcomes.tickets import Desk
from tests.rows import make_interaction
from tests.worker.test_pulls import TOML


def run(home: Path, *arguments: str) -> Any:
    result = CliRunner().invoke(
        build_cli("outcomes"), ["outcomes", *arguments, "--home", str(home), "--json"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.fixture
def desk(home, tmp_path):
    (home / "penstock.toml").write_text(TOML.format(database=tmp_path / "desk.db"))
    made = Desk(f"sqlite:///{tmp_path / 'desk.db'}")
    yield made
    made.close()


def test_a_pull_prints_what_came_and_sources_how_far_it_is(home, desk):
    desk.add(1)
    desk.add(2, minute=1, status="unheard-of")
    (before,) = run(home, "sources")
    assert (before["name"], before["last_run"], before["rows"], before["watermark"]) == ("desk", None, 0, None)
    (pulled,) = run(home, "pull", "desk")
    assert (pulled["rows"], pulled["reports"], pulled["error"]) == (2, 1, None)
    (after,) = run(home, "sources")
    assert (after["rows"], after["reports"], after["unreadable"], after["last_error"]) == (2, 1, 1, None)
    assert after["watermark"] == "2026-03-01T10:01:00+00:00"
    assert after["reasons"] == {"value: text of 10 characters is none of the words in `map`, and no number": 1}


def test_a_source_that_fails_costs_the_others_nothing_and_is_shown(home, desk, tmp_path):
    broken = (
        TOML.format(database=tmp_path / "desk.db").replace("pulls.desk", "pulls.broken").replace("FROM tickets", "FROM nowhere")
    )
    with (home / "penstock.toml").open("a") as file:
        file.write(broken)
    desk.add(1)
    with pytest.raises(PenstockError, match="Could not pull broken"):
        run(home, "pull")
    states = {row["name"]: row for row in run(home, "sources")}
    assert states["desk"]["rows"] == 1
    assert "no such table" in states["broken"]["last_error"]
    with pytest.raises(BadInputError, match="no such table"):
        run(home, "pull", "broken")


def test_an_error_stands_whole_below_the_table(home, desk):
    desk.execute("ALTER TABLE tickets RENAME TO gone")
    cli, options = build_cli("outcomes"), ["--home", str(home)]
    printed = CliRunner().invoke(cli, ["outcomes", "pull", *options]).output
    assert "  desk: The query fails on sqlite:///" in printed
    assert "no such table: tickets.\n" in printed
    assert "no such table: tickets.\n" in CliRunner().invoke(cli, ["outcomes", "sources", *options]).output


def test_an_age_below_zero_is_refused(home, tmp_path):
    result = CliRunner().invoke(build_cli("outcomes"), ["outcomes", "git", str(tmp_path), "--survived-after-days", "-1"])
    assert result.exit_code == 2
    assert "survived-after-days" in result.output


@pytest.mark.parametrize(("name", "reported"), [("unit", "outcome.unit"), ("outcome.unit", "outcome.unit")])
def test_the_name_of_tests_is_that_of_an_outcome(home, edge, door, tmp_path, name, reported):  # noqa: F811
    (tmp_path / "r.xml").write_text("<testsuite><testcase/></testsuite>")
    run(home, "junit", str(tmp_path / "r.xml"), "--request", "r", "--name", name, "--edge", edge)
    assert [report.name for report in door.feedback] == [reported]
    with pytest.raises(ConfigurationError, match="names no outcome"):
        run(home, "junit", str(tmp_path / "r.xml"), "--request", "r", "--name", "outcome.", "--edge", edge)


def test_a_source_that_is_not_set_is_told(home):
    with pytest.raises(NotFoundError, match=r"no \[pulls.desk\]"):
        run(home, "pull", "desk")
    assert run(home, "sources") == []


def test_commits_that_name_requests_are_reported(home, edge, door, settings, tmp_path):  # noqa: F811
    answer = "```python\nx = 1\ny = 2\n```"
    Penstock(settings).lake.append("interactions", [make_interaction(1, request_id="r_1", response_text=answer)])
    clone = Clone(tmp_path / "clone")
    clone.commit("Add\n\nPenstock-Request: r_1\n", a__py="x = 1\n")
    dry = run(home, "git", str(clone.folder), "--dry-run")
    assert (dry["commits"], dry["suggestions"], len(dry["reports"])) == (1, 1, 2)
    assert door.feedback == []
    run(home, "git", str(clone.folder), "--edge", edge)
    assert {report.name: report.value for report in door.feedback} == {"outcome.committed": 0.5, "outcome.survived": 0.5}
    assert {report.target_id for report in door.feedback} == {"r_1"}


def test_commits_are_found_by_a_key_as_well(home, edge, door, settings, tmp_path):  # noqa: F811
    clone = Clone(tmp_path / "clone")
    sha = clone.commit("Add", a__py="x = 1\n")
    row = make_interaction(1, span_id="cd" * 8, response_text="```\nx = 1\n```", keys={"commit": sha})
    Penstock(settings).lake.append("interactions", [row])
    assert len(run(home, "git", str(clone.folder), "--key", "commit", "--edge", edge)["reports"]) == 2
    assert {report.value for report in door.feedback} == {1.0}


def test_a_test_report_is_reported_on_a_key_and_on_requests(home, edge, door, tmp_path):  # noqa: F811
    (tmp_path / "test_a.py").write_text("def test_a(): pass\ndef test_b(): assert False\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=r.xml", "test_a.py"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    report = str(tmp_path / "r.xml")
    printed = run(home, "junit", report, "--key", "commit=ec26", "--request", "r_1", "--edge", edge)
    assert (printed["passed"], printed["failed"], printed["value"], printed["reports"]) == (1, 1, 0.0, 2)
    assert [(one.target_kind, one.target_id, one.value) for one in door.feedback] == [
        ("request", "r_1", 0.0),
        ("key", "ec26", 0.0),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [([], "Say what was tested"), (["--key", "commit"], "names nothing"), (["--key", "=x"], "names nothing")],
)
def test_what_was_tested_has_to_be_said(home, tmp_path, options, message):
    (tmp_path / "r.xml").write_text("<testsuite><testcase/></testsuite>")
    with pytest.raises(ConfigurationError, match=message):
        run(home, "junit", str(tmp_path / "r.xml"), *options)
