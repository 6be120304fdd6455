"""`penstock ingest contract`: a table of shares, and what to change."""

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from penstock.cli import build_cli
from penstock.errors import ConfigurationError
from penstock.lake.lake import Lake
from penstock.records.clock import utc_now
from tests.rows import make_interaction


@pytest.fixture(autouse=True)
def lake(empty_lake: Lake) -> Lake:
    at = utc_now() - timedelta(days=1)
    rows = [make_interaction(1, application="desk", user_id="u"), make_interaction(2, application="shop")]
    empty_lake.append("interactions", [msgspec.structs.replace(row, started_at=at, ended_at=at) for row in rows])
    return empty_lake


def run(home: Path, *arguments: str) -> str:
    result = CliRunner().invoke(
        build_cli("ingest"), ["ingest", "contract", "--home", str(home), *arguments], catch_exceptions=False
    )
    assert result.exit_code == 0
    return result.output


def test_it_prints_shares_and_the_lines_to_change(home: Path) -> None:
    output = run(home)
    assert "desk" in output
    assert 'user: to change in shop\n  OTel     span.set_attribute("user.id", user_id)' in output
    assert 'extra_headers={"x-penstock-session": conversation_id}' in output


def test_one_application_may_be_asked_for_and_machines_read_json(home: Path) -> None:
    rows = json.loads(run(home, "--application", "desk", "--json"))
    assert {row["application"] for row in rows} == {"desk"}
    user, session = (next(row for row in rows if row["field"] == field) for field in ("user", "session"))
    assert (user["share"], user["status"], user["change"]) == (1.0, "met", None)
    assert session["change"]["otel"] == 'span.set_attribute("gen_ai.conversation.id", conversation_id)'
    assert "of 'none'" in run(home, "--application", "none")


def test_a_contract_in_the_file_counts(home: Path) -> None:
    (home / "penstock.toml").write_text('[contracts.desk]\nrequired = ["user", "keys.ticket_id"]\n')
    rows = json.loads(run(home, "-a", "desk", "--json"))
    assert [(row["field"], row["status"]) for row in rows] == [("user", "met"), ("keys.ticket_id", "low")]
    (home / "penstock.toml").write_text('[contracts.desk]\nrequired = ["usr"]\n')
    with pytest.raises(ConfigurationError, match="`usr`"):
        run(home)
