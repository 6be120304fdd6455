"""The composition root's other half: what an edge worker holds, and which processes `penstock up` starts."""

import os
import sys

from penstock.app import Penstock
from penstock.config import Settings
from penstock.edge.server import EdgeServices
from penstock.ingest.door import Door
from penstock.ingest.flush import Flusher, FlushThread
from penstock.ingest.redact import Redaction
from penstock.ingest.spool import adopt_spools, create_spool
from penstock.worker.supervisor import Program


def build_edge_services(settings: Settings, _worker: int) -> EdgeServices:
    """What one edge worker works with: a spool of its own, those that dead workers left, and a thread that empties them."""
    penstock = Penstock(settings)
    registry = penstock.registry
    folder = penstock.home / "spool"
    adopted = adopt_spools(folder, settings.edge.spool_max_bytes)
    spool = create_spool(folder, settings.edge.spool_max_bytes)

    def build_flusher() -> Flusher:
        return Flusher(penstock.open_lake(), spool, settings.edge.flush_max_rows, adopted)

    flush = FlushThread(build_flusher, settings.edge.flush_interval_s, folder, settings.edge.spool_max_bytes)
    flush.start()
    redaction = Redaction(penstock.redactor, settings.policy.redact.hashed_keys)
    door = Door(spool, redaction, penstock.clock, capture_queue=settings.edge.capture_queue, flush=flush)

    def close(timeout_s: float) -> None:
        door.close(timeout_s)
        registry.close()

    return EdgeServices(door=door, registry=registry, close=close)


EDGE_FACTORY = "penstock.assembly:build_edge_services"


def list_programs(settings: Settings) -> list[Program]:
    """The processes of `penstock up`."""
    environment = {**os.environ, "PENSTOCK_HOME": str(settings.home_path)}
    penstock = (sys.executable, "-m", "penstock.cli")
    programs = [
        Program(name="edge", command=(*penstock, "edge"), environment=environment),
        Program(name="worker", command=(*penstock, "worker"), environment=environment),
    ]
    if settings.serving.enabled:
        checkpoints = settings.home_path / "artifacts" / "checkpoints"
        checkpoints.mkdir(parents=True, exist_ok=True)
        serving = settings.serving
        arguments = ("--host", serving.host, "--port", str(serving.port), "--allow", str(checkpoints))
        limits = (
            "--max-batch",
            str(serving.max_batch),
            "--max-models",
            str(serving.max_models),
            "--threads",
            str(serving.threads),
        )
        command = (sys.executable, "-m", "penstock.serving.server", *arguments, *limits)
        programs.insert(0, Program(name="serving", command=command, environment=environment))
    return programs
