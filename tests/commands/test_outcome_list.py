"""`penstock outcomes list`: what is defined, what came, and what has become of it."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from penstock.app import Penstock
from penstock.cli import build_cli
from penstock.ingest.settle_feedback import settle_feedback
from penstock.ingest.settle_outcomes import outcome_settling
from penstock.outcome_settings import OutcomeSettings
from penstock.settings import Settings
from tests.rows import make_feedback, make_interaction


def shown(home: Path) -> list[dict[str, Any]]:
    result = CliRunner().invoke(
        build_cli("outcomes"), ["outcomes", "list", "--home", str(home), "--json"], catch_exceptions=False
    )
    found: list[dict[str, Any]] = json.loads(result.output)
    return found


def test_each_outcome_stands_with_its_rule_and_how_many_reports_came_to_what(home: Path) -> None:
    (home / "penstock.toml").write_text('[outcomes.paid]\nkeys = ["order"]\nrule = "first"\ngood = "low"\n')
    penstock = Penstock(Settings(home=str(home), outcomes={"paid": OutcomeSettings(keys=["order"], rule="first")}))
    penstock.lake.append("interactions", [make_interaction(number, keys={"order": "1"}) for number in range(3)])
    reports = [make_feedback("outcome.paid", "key", "1", key="order", happened=5.0 + number) for number in range(2)]
    reports += [make_feedback("outcome.paid", "key", "none", key="order"), make_feedback("outcome.sent", "key", "1", key="order")]
    penstock.lake.append("feedback", reports)
    settle_feedback(penstock.lake, penstock.clock, 999_999.0, outcomes=outcome_settling(penstock.settings))
    penstock.lake.append(
        "feedback", [make_feedback("outcome.sent", "key", "2", key="order"), make_feedback("copy", "request", "q")]
    )
    paid, sent = shown(home)
    assert (paid["outcome"], paid["keys"], paid["rule"], paid["good"]) == ("outcome.paid", "order", "first", "low")
    counts = {name: paid[name] for name in ("attributed", "superseded", "pending", "matched", "ambiguous", "expired")}
    assert counts == {"attributed": 1, "superseded": 1, "pending": 1, "matched": 0, "ambiguous": 0, "expired": 0}
    assert (sent["outcome"], sent["rule"], sent["ambiguous"], sent["pending"]) == ("outcome.sent", None, 1, 1)
    assert paid["unexplained"] == sent["unexplained"] == {"no interaction carries that order": 1}
    text = CliRunner().invoke(build_cli("outcomes"), ["outcomes", "list", "--home", str(home)]).output
    assert "outcome.paid: 1 pending or expired, no interaction carries that order" in text


def test_with_nothing_defined_and_nothing_there_it_says_how_to_begin(home: Path) -> None:
    assert shown(home) == []
    result = CliRunner().invoke(build_cli("outcomes"), ["outcomes", "list", "--home", str(home)], catch_exceptions=False)
    assert "[outcomes.NAME]" in result.output
