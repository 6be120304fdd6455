"""`penstock show`: an interaction by any of its names, what is told of it, and the latest of a session or a user."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from penstock.app import Penstock
from penstock.cli import build_cli
from penstock.errors import BadInputError, NotFoundError
from penstock.records.dataset import DatasetRow
from penstock.records.interaction import Interaction
from penstock.records.label import Label
from penstock.settings import Settings
from tests.rows import LATER, make_feedback, make_interaction, make_signal, matched


def _show(home: Path, *arguments: str) -> str:
    return CliRunner().invoke(build_cli("show"), ["show", *arguments, "--home", str(home)], catch_exceptions=False).stdout


def _shown(home: Path, *arguments: str) -> Any:
    return json.loads(_show(home, *arguments, "--json"))


@pytest.fixture
def one(settings: Settings) -> Interaction:
    """An interaction with a signal, a label that superseded another and a place in a dataset, among others of its user."""
    stores = Penstock(settings)
    user = stores.redactor.hash_id("jane", "user")
    rows = [
        make_interaction(
            number, start=number, request_id=f"q_{number}", response_id=f"r_{number}", session_id="chat", user_id=user,
            prompt_text="Hi " * 40, response_text="Yes \x1b[31m",
        )
        for number in range(3)
    ]  # fmt: skip
    lake, found = stores.lake, rows[1]
    lake.append("interactions", rows)
    lake.append("signals", [make_signal("copy", found, 1.0), make_signal("copy", rows[2], 1.0)])
    first = Label(
        label_id="l_1", target_kind="interaction", target_id=found.interaction_id, interaction_id=found.interaction_id,
        schema="usefulness", schema_version=1, dimension="good", value=0.0, annotator_kind="program", annotator="rule@1",
        known_at=LATER, started_at=found.started_at,
    )  # fmt: skip
    lake.append("labels", [first, msgspec.structs.replace(first, label_id="l_2", supersedes=first.label_id, value=1.0)])
    row = DatasetRow(
        dataset_version_id="d_1", row_hash="h", split="train", weight=1.0, interaction_ids=[found.interaction_id],
        label_ids=[], started_at=found.started_at, known_at=LATER,
    )  # fmt: skip
    lake.append("dataset_rows", [row])
    return found


@pytest.mark.parametrize("name", ["interaction_id", "request_id", "response_id", "trace_id"])
def test_an_interaction_is_shown_by_any_of_its_names_with_all_that_stands(home: Path, one: Interaction, name: str) -> None:
    told = _shown(home, getattr(one, name))
    assert told["interaction"]["interaction_id"] == one.interaction_id
    assert [signal["name"] for signal in told["signals"]] == ["copy"]
    assert [(label["label_id"], label["value"]) for label in told["labels"]] == [("l_2", 1.0)]
    assert told["datasets"] == [{"dataset_version_id": "d_1", "split": "train", "weight": 1.0, "row_hash": "h"}]
    assert told["feedback"] == []


def test_people_see_texts_as_text_and_only_what_is_there(home: Path, one: Interaction) -> None:
    text = _show(home, one.interaction_id)
    assert "Yes  [31m" in text and "\x1b" not in text
    assert "signals" in text and "labels" in text and "feedback" not in text and "error_type" not in text


def test_the_latest_of_a_session_or_user_come_first(home: Path, one: Interaction) -> None:
    for arguments in (["--session", "chat"], ["--user", "jane"], ["--user", str(one.user_id)]):
        assert [row["interaction_id"] for row in _shown(home, *arguments, "--latest", "2")][1] == one.interaction_id
    assert "…" in _show(home, "--session", "chat")
    assert _show(home, "--user", "nobody").strip() == "No interaction of it is here."
    assert [row["session_id"] for row in _shown(home, one.span_id)] == ["chat"] * 3  # a name that several have


def test_what_is_not_there_or_not_said_is_an_error_that_tells_what_to_do(home: Path, one: Interaction) -> None:
    assert one.interaction_id
    with pytest.raises(NotFoundError, match="penstock signals run"):
        _show(home, "q_none")
    for arguments in ([], ["q_1", "--session", "chat"], ["--session", "chat", "--user", "jane"]):
        with pytest.raises(BadInputError, match="Give one of these"):
            _show(home, *arguments)


def test_a_report_is_shown_by_its_id_with_what_it_waits_for(home: Path, one: Interaction, settings: Settings) -> None:
    waiting = make_feedback("outcome.solved", "key", "T-9", key="ticket_id", status="pending")
    Penstock(settings).lake.append("feedback", [waiting, matched("rating", one, value=1.0)])
    told = _shown(home, waiting.feedback_id)
    assert (told["feedback_id"], told["status"]) == (waiting.feedback_id, "pending")
    assert told["reason"] == "no interaction carries a key named 'ticket_id'; none carries any key (docs/contract.md)"
    assert "interaction_id" not in _show(home, waiting.feedback_id)
    (report,) = _shown(home, one.interaction_id)["feedback"]
    assert (report["name"], report["status"], report["reason"]) == ("rating", "matched", None)
