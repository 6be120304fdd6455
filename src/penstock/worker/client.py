"""Asking the worker for a turn, from another process: a row in the registry and one in the queue, both once."""

from pathlib import Path

from dbos import DBOS, DBOSClient, error
from sqlalchemy.engine import make_url

from penstock.errors import ConflictError, NotFoundError
from penstock.records.clock import utc_now
from penstock.records.ids import random_id
from penstock.records.turn import Turn, TurnState
from penstock.registry.registry import Registry
from penstock.settings import Settings
from penstock.training.runner import RunFiles
from penstock.worker.turn import CANCEL, QUEUE, WORKFLOW
from penstock.worker.turn_plan import TurnPlan, encode_plan, training_run_id

APPLICATION = "penstock"
APPLICATION_VERSION = "1"  # grows when a workflow that is under way could not go on with the new code


def workflows_url(settings: Settings) -> str:
    """Where DBOS keeps its state: beside the registry, in PostgreSQL or as a SQLite file."""
    url = make_url(settings.registry_url)
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql").render_as_string(hide_password=False)
    return f"sqlite:///{settings.home_path / 'workflows.db'}"


def open_client(settings: Settings) -> DBOSClient:
    """A client of the workflows, whose tables are made if no worker has run yet; the caller destroys it."""
    url = workflows_url(settings)
    settings.home_path.mkdir(parents=True, exist_ok=True)
    DBOS.migrate(url)
    return DBOSClient(system_database_url=url, application_name=APPLICATION)


def enqueue_turn(settings: Settings, registry: Registry, plan: TurnPlan, turn_id: str | None = None) -> Turn:
    """Have the worker run a turn; the same id enqueues it once. Turns of one route run one after the other."""
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
    client = open_client(settings)
    try:
        enqueue_workflow(client, turn)
    finally:
        client.destroy()
    return turn


def enqueue_workflow(client: DBOSClient, turn: Turn) -> None:
    """Queue the workflow of a turn; one that is queued already is left as it is."""
    client.enqueue(
        {
            "queue_name": QUEUE,
            "queue_partition_key": turn.route,
            "workflow_name": WORKFLOW,
            "workflow_id": turn.turn_id,
            "app_version": APPLICATION_VERSION,
        },
        turn.turn_id,
    )


def cancel_turn(settings: Settings, registry: Registry, artifacts: Path, turn_id: str, by: str) -> None:
    """Ask a running turn to end: at once while it trains or watches a canary, which is then rolled back, else after its step."""
    turn = registry.turns.get(turn_id)
    if turn.state != TurnState.RUNNING:
        raise ConflictError(f"Turn {turn_id!r} is {turn.state}; there is nothing to cancel.")
    client = open_client(settings)
    try:
        client.send(turn_id, by, CANCEL, idempotency_key=f"{CANCEL}:{turn_id}")
    except error.DBOSNonExistentWorkflowError:
        # It was never queued, since whoever asked for it died in between; nothing of it runs, so it ends here.
        registry.turns.update(turn_id, reason=f"cancelled: {by}")
        registry.turns.transition(turn_id, TurnState.FAILED, ended_at=utc_now())
    finally:
        client.destroy()
    run = RunFiles(folder=artifacts / "runs" / training_run_id(turn_id))
    if run.folder.is_dir():
        run.cancel.touch()
