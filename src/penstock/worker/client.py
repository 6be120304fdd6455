"""Asking the worker for a turn, from another process: a row in the registry and one in the queue, both once."""

from dbos import DBOSClient

from penstock.config import Settings
from penstock.errors import NotFoundError
from penstock.records.clock import utc_now
from penstock.records.ids import random_id
from penstock.records.turn import Turn, TurnState
from penstock.registry.registry import Registry
from penstock.worker.turn import QUEUE, WORKFLOW
from penstock.worker.turn_plan import TurnPlan, encode_plan

APPLICATION = "penstock"
APPLICATION_VERSION = "1"  # grows when a workflow that is under way could not go on with the new code


def workflows_url(settings: Settings) -> str:
    """Where DBOS keeps its state: beside the registry, in PostgreSQL or as a SQLite file."""
    if settings.registry_url.startswith("postgresql"):
        return settings.registry_url
    return f"sqlite:///{settings.home_path / 'workflows.db'}"


def enqueue_turn(settings: Settings, registry: Registry, plan: TurnPlan, turn_id: str | None = None) -> Turn:
    """Have the worker run a turn; the same id enqueues it once."""
    if registry.routes.get(plan.route) is None:
        raise NotFoundError(f"There is no route {plan.route!r}; `penstock release set-stable {plan.route} CHECKPOINT` makes one.")
    turn = registry.turns.create(
        Turn(
            turn_id=turn_id or random_id("t"),
            number=0,
            route=plan.route,
            state=TurnState.RUNNING,
            step="queued",
            config=encode_plan(plan),
            started_at=utc_now(),
        )
    )
    client = DBOSClient(system_database_url=workflows_url(settings), application_name=APPLICATION)
    try:
        client.enqueue(
            {"queue_name": QUEUE, "workflow_name": WORKFLOW, "workflow_id": turn.turn_id, "app_version": APPLICATION_VERSION},
            turn.turn_id,
        )
    finally:
        client.destroy()
    return turn
