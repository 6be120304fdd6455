"""`penstock up | edge | worker`: the processes, together under one supervisor or each alone."""

import logging
from functools import partial
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.assembly import EDGE_FACTORY, list_programs
from penstock.commands import options
from penstock.edge.process import run_edge
from penstock.edge.run_file import read_run_file, run_file
from penstock.settings import Settings
from penstock.worker.process import run_worker
from penstock.worker.supervisor import supervise

Relay = Annotated[
    str | None,
    typer.Option(
        "--relay", metavar="TARGET", help="Send everything to this [policy.forward] target or Penstock URL and keep no lake."
    ),
]


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add one of the processes."""
    cli.command(name, help=summary)({"up": up, "edge": edge, "worker": worker}[name])


def up(home: options.Home = None, override: options.Override = None) -> None:
    """Run edge, worker and, where enabled, the local model server, until stopped."""
    settings = options.load(home, override).settings
    log_to_standard_error()
    penstock = Penstock(settings)
    penstock.registry.close()
    for text in override or []:
        typer.echo(f"Note: --set {text} holds for `up` alone; put it into penstock.toml for the processes it starts.", err=True)
    run_file(penstock.home).unlink(missing_ok=True)
    supervise(
        list_programs(settings),
        penstock.home / "logs",
        on_ready=lambda: _announce(penstock.home),
        is_ready=lambda: read_run_file(penstock.home) is not None,
    )


def edge(home: options.Home = None, override: options.Override = None, relay: Relay = None) -> None:
    """Serve OTLP, feedback and the gateway until stopped."""
    settings = options.load(home, [*(override or []), *([f"edge.relay={dumps(relay)}"] if relay else [])]).settings
    log_to_standard_error()
    run_edge(settings, EDGE_FACTORY)


def worker(home: options.Home = None, override: options.Override = None) -> None:
    """Settle, signal, label and run turns until stopped."""
    run_worker(partial(_open_worker, options.load(home, override).settings))


def _open_worker(settings: Settings) -> Penstock:
    log_to_standard_error()
    return Penstock(settings)


def log_to_standard_error() -> None:
    """What a process has to say goes to standard error, with the time."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _announce(home: Path) -> None:
    running = read_run_file(home)
    if running is not None:
        typer.echo(f"Penstock is up: {running.url} (home {home}, logs in {home / 'logs'})")
