"""`penstock up | edge | worker`: the processes, together under one supervisor or each alone."""

import logging

import typer

from penstock.app import EDGE_FACTORY
from penstock.commands import options
from penstock.edge.process import run_edge


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add one of the processes."""
    commands = {"edge": edge}
    if name in commands:
        cli.command(name, help=summary)(commands[name])


def edge(home: options.Home = None, override: options.Override = None) -> None:
    """Serve OTLP, feedback and the gateway until stopped."""
    settings = options.load(home, override).settings
    log_to_standard_error()
    run_edge(settings, EDGE_FACTORY)


def log_to_standard_error() -> None:
    """What a process has to say goes to standard error, with the time."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
