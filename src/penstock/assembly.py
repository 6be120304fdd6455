"""The composition root's other half: what an edge worker holds, and which processes `penstock up` starts."""

import os
import sys
from contextlib import suppress

from penstock.app import Penstock
from penstock.edge.server import EdgeServices
from penstock.errors import StorageError
from penstock.ingest.door import Door
from penstock.ingest.flush import Flusher, FlushThread
from penstock.ingest.forward import Forwarder
from penstock.ingest.forward_queue import ForwardQueue
from penstock.ingest.otlp_exporter import OtlpExporter
from penstock.ingest.policy import Forward, Policy
from penstock.ingest.redact import Redaction
from penstock.ingest.relay import feedback_targets, find_relay_target
from penstock.ingest.scrub import Scrubber
from penstock.ingest.spool import Spool, adopt_as, adopt_spools, create_as, create_spool
from penstock.policy_settings import ForwardSettings
from penstock.settings import Settings
from penstock.text.secret_key import load_key
from penstock.worker.supervisor import Program


def build_edge_services(settings: Settings, _worker: int) -> EdgeServices:
    """What one edge worker works with: a spool of its own, those that dead workers left, and a thread that empties them."""
    penstock = Penstock(settings)
    registry = penstock.registry
    policy = _build_policy(penstock)
    spool, flush = _build_relay(penstock) if settings.edge.relay else _build_storage(penstock)
    flush.start()
    redaction = Redaction(penstock.redactor, settings.policy.redact.hashed_keys)
    door = Door(
        spool,
        redaction,
        penstock.clock,
        capture_queue=settings.edge.capture_queue,
        flush=flush,
        policy=policy,
        feedback_targets=feedback_targets(settings),
    )

    def close(timeout_s: float) -> None:
        door.close(timeout_s)
        registry.close()

    return EdgeServices(door=door, registry=registry, close=close)


def _build_storage(penstock: Penstock) -> tuple[Spool, FlushThread]:
    edge = penstock.settings.edge
    folder = penstock.home / "spool"
    with suppress(StorageError):  # a lake that is away, or not begun, is looked at before anything is written to it
        penstock.require_same_key()
    adopted = adopt_spools(folder, edge.spool_max_bytes)
    spool = create_spool(folder, edge.spool_max_bytes)

    def build_flusher() -> Flusher:
        lake = penstock.open_lake()
        penstock.require_same_key()
        return Flusher(lake, spool, edge.flush_max_rows, adopted)

    return spool, FlushThread(build_flusher, edge.flush_interval_s, folder, edge.spool_max_bytes)


def _build_relay(penstock: Penstock) -> tuple[Spool, FlushThread]:
    """A spool that another backend empties, in the place of a lake."""
    edge = penstock.settings.edge
    target = find_relay_target(penstock.settings)
    exporter = OtlpExporter(target, os.environ, edge.relay)
    folder = penstock.home / "spool"
    adopted = adopt_spools(folder, edge.spool_max_bytes)
    spool = create_spool(folder, edge.spool_max_bytes)

    def build_forwarder() -> Forwarder:
        return Forwarder(exporter, spool, adopted, to_penstock=target.penstock, scrubber=Scrubber(penstock.lake_root))

    return spool, FlushThread(build_forwarder, edge.flush_interval_s, folder, edge.spool_max_bytes, "relay")


def _build_policy(penstock: Penstock) -> Policy:
    """The policy, with a queue and a thread per backend that some rule names."""
    settings = penstock.settings
    policy = settings.policy
    named = {
        name
        for pipelines in (policy.route.default_pipelines, *(rule.pipelines for rule in policy.route.table))
        for name in pipelines
    }
    forwards = {name: _build_forward(penstock, name, policy.forward[name]) for name in policy.forward if name in named}
    return Policy(policy, load_key(penstock.home), forwards)


def _build_forward(penstock: Penstock, name: str, target: ForwardSettings) -> Forward:
    exporter = OtlpExporter(target, os.environ, name)
    folder = penstock.home / "forward" / name
    adopted = adopt_as(ForwardQueue, folder, target.queue_max_bytes)
    queue = create_as(ForwardQueue, folder, target.queue_max_bytes)

    def build_forwarder() -> Forwarder:
        return Forwarder(exporter, queue, adopted, to_penstock=target.penstock, scrubber=Scrubber(penstock.lake_root))

    interval_s = penstock.settings.edge.flush_interval_s
    thread = FlushThread(build_forwarder, interval_s, folder, target.queue_max_bytes, f"forward target {name}")
    thread.start()
    return Forward(queue=queue, thread=thread, to_penstock=target.penstock)


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
