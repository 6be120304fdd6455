"""The worker: settles and has signals read every few seconds, pulls outcomes, and runs turns as durable workflows.

One worker per home: it holds a lock that dies with it, so that its successor may take over its lease at once. Killed at any
moment, it goes on at the next start: a workflow where it was, a turn whose workflow was never queued from its beginning.
"""

import fcntl
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dbos import DBOS, DBOSClient

from penstock.errors import ConflictError
from penstock.lake.tables import TABLES
from penstock.records.turn import TurnState
from penstock.worker.client import APPLICATION, APPLICATION_VERSION, enqueue_workflow, open_client, workflows_url
from penstock.worker.judging import Judging, find_judge
from penstock.worker.pulls import join_all, pull_threads
from penstock.worker.reading_process import ReadingProcess
from penstock.worker.refresh import Refresher
from penstock.worker.repeat import STOP_S, Repeat
from penstock.worker.stores import Stores
from penstock.worker.turn import QUEUE, Steps, register_turn
from penstock.worker.turn_steps import TurnSteps

POLL_S = 0.5  # how soon a queued turn begins and a cancellation is seen
JUDGE_STOP_S = 2.0  # an answer that is waited for longer is asked for again at the next start
JUDGE_INTERVAL_S = 60.0
LOCK = "worker.lock"
UNDER_WAY = frozenset({"ENQUEUED", "DELAYED", "PENDING"})

logger = logging.getLogger(__name__)


def run_worker(open_stores: Callable[[], Stores], on_ready: Callable[[], None] = lambda: None) -> None:
    """Work until SIGTERM or SIGINT. Raises ConflictError where another worker runs for this home.

    `open_stores` is called once in each of the worker's processes, so it can be pickled.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    work(open_stores, stopping, on_ready=on_ready)
    logging.shutdown()
    # A step under way would keep the interpreter alive until it is done; it is run again at the next start.
    os._exit(0)


def work(
    open_stores: Callable[[], Stores],
    stopping: threading.Event,
    *,
    build_steps: Callable[[Stores, Refresher], Steps] = TurnSteps,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Refresh and run turns until told to stop."""
    stores = open_stores()
    with only_worker(stores.settings.home_path):
        holder = f"worker@{socket.gethostname()}"
        lake = stores.open_lake()
        stores.require_same_key()
        for table in TABLES:
            lake.repair(table)  # what a power cut tore is taken back before anything is built on it
        with ReadingProcess(open_stores, holder) as reading:
            refresher = Refresher(stores, holder, reading)
            repeats = [
                Repeat("Settling", refresher.settle, stores.settings.ingest.settle_interval_s, rest=0.0),
                *_judging(stores, holder, stopping),
            ]
            steps = build_steps(stores, refresher)
            pulls = pull_threads(stores)
            for repeat in repeats:
                repeat.start()
            for pull in pulls:
                pull.start()
            try:
                with running_workflows(stores, steps):
                    take_up_turns(stores, steps)
                    on_ready()
                    stopping.wait()
            finally:
                for pull in pulls:
                    pull.ask_to_stop()
                for repeat in reversed(repeats):
                    repeat.stop()
                join_all(pulls, STOP_S)
        refresher.release()


def _judging(stores: Stores, holder: str, stopping: threading.Event) -> list[Repeat]:
    """The thread that asks the judge, where one is set."""
    if (judge := find_judge(stores)) is None:
        return []
    judging = Judging(judge, stores, holder, go_on=lambda: not stopping.is_set())
    return [Repeat("Judging", judging.step, JUDGE_INTERVAL_S, stop_s=JUDGE_STOP_S)]


@contextmanager
def running_workflows(stores: Stores, steps: Steps) -> Iterator[None]:
    """DBOS, with the turn's workflow and its queue; turns of one route run one at a time."""
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": workflows_url(stores.settings),
            "application_version": APPLICATION_VERSION,
            "executor_id": APPLICATION,  # the same after a restart, so that it recovers what it had begun
            "log_level": "WARNING",
            "notification_listener_polling_interval_sec": POLL_S,
        }
    )
    try:
        register_turn(steps)
        DBOS.launch()
        DBOS.register_queue(QUEUE, partition_concurrency=1, polling_interval_sec=POLL_S)
        yield
    finally:
        DBOS.destroy(destroy_registry=True)


def take_up_turns(stores: Stores, steps: Steps) -> None:
    """Queue running turns that died between registry and queue; close those whose workflow will never run again."""
    client = open_client(stores.settings)
    try:
        for turn in stores.registry.turns.list():
            if turn.state != TurnState.RUNNING:
                continue
            status = _workflow_status(client, turn.turn_id)
            if status is None:
                enqueue_workflow(client, turn)
            elif status not in UNDER_WAY:
                logger.error("Turn %s is running, but its workflow has ended as %s; the turn has failed", turn.turn_id, status)
                stores.registry.turns.update(turn.turn_id, reason=turn.reason or f"its workflow ended as {status}")
                steps.end(turn.turn_id, TurnState.FAILED)
    finally:
        client.destroy()


def _workflow_status(client: DBOSClient, turn_id: str) -> str | None:
    found = client.list_workflows(workflow_ids=[turn_id])
    return str(found[0].status) if found else None


@contextmanager
def only_worker(home: Path) -> Iterator[None]:
    """Hold the home's worker lock; the kernel gives it up when the process is gone, however it went."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(f"Another worker runs for {home}; stop it first, or choose another home.") from error
        yield
