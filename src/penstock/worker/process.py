"""The worker process: refreshes all the time and runs turns as durable workflows; a restart goes on with those under way."""

import logging
import signal
import threading
from collections.abc import Callable

from dbos import DBOS
from msgspec import Struct

from penstock.config import Settings
from penstock.worker.client import APPLICATION, APPLICATION_VERSION, workflows_url
from penstock.worker.refresh import RefreshLoop
from penstock.worker.turn import QUEUE, Steps, register_turn

EXECUTOR = "worker"  # the same name after a restart, so that its own workflows are taken up again
_STOP_S = 15.0

logger = logging.getLogger(__name__)


class WorkerServices(Struct, kw_only=True):
    """What a worker works with, built by the composition root."""

    refresh: RefreshLoop
    steps: Steps
    close: Callable[[], None]


def run_worker(settings: Settings, services: WorkerServices) -> None:
    """Work until SIGTERM or SIGINT."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": workflows_url(settings),
            "application_version": APPLICATION_VERSION,
            "executor_id": EXECUTOR,
            "log_level": "WARNING",
            "notification_listener_polling_interval_sec": 0.5,
        }
    )
    register_turn(services.steps)
    services.refresh.start()
    DBOS.launch()
    DBOS.register_queue(QUEUE, global_concurrency=1, polling_interval_sec=0.2)
    logger.info("The worker is ready")
    try:
        stopping.wait()
    finally:
        services.refresh.stop(_STOP_S)
        DBOS.destroy()
        services.close()
