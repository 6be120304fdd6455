"""`penstock turn`, typed as a person types it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from penstock.app import Penstock
from penstock.cli import build_cli
from penstock.config import load_settings
from penstock.errors import ConflictError, NotFoundError
from penstock.records.clock import utc_now
from penstock.records.turn import Turn, TurnState


def invoke(home: Path, *arguments: str) -> str:
    result = CliRunner().invoke(build_cli("turn"), ["turn", *arguments, "--home", str(home)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_turn_that_is_not_there_or_has_ended_cannot_be_cancelled(home: Path) -> None:
    registry = Penstock(load_settings(flags={"home": str(home)}, environment={}).settings).registry
    turn = Turn(turn_id="t_1", number=0, route="tab", state=TurnState.RUNNING, step="train", config="{}", started_at=utc_now())
    registry.turns.create(turn)
    registry.turns.transition("t_1", TurnState.FAILED, ended_at=utc_now())
    registry.close()
    with pytest.raises(ConflictError, match="nothing to cancel"):
        invoke(home, "cancel", "t_1")
    with pytest.raises(NotFoundError, match="t_2"):
        invoke(home, "cancel", "t_2")


def test_a_turn_that_was_never_queued_ends_when_it_is_cancelled(home: Path) -> None:
    registry = Penstock(load_settings(flags={"home": str(home)}, environment={}).settings).registry
    registry.turns.create(
        Turn(turn_id="t_1", number=0, route="tab", state=TurnState.RUNNING, step="queued", config="{}", started_at=utc_now())
    )
    assert "wrong plan" in invoke(home, "cancel", "t_1", "--by", "wrong plan")
    turn = registry.turns.get("t_1")
    assert (turn.state, turn.reason) == (TurnState.FAILED, "cancelled: wrong plan")
    registry.close()


def test_no_turns_say_how_to_start_one(home: Path) -> None:
    assert "penstock turn run ROUTE" in invoke(home, "list")
