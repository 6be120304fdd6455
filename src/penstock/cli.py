"""The command `penstock`. Only the module of the command that was typed is imported, so that the prompt comes back at once."""

import importlib
import sys
from typing import NoReturn

import typer

from penstock import __version__
from penstock.errors import PenstockError

# command -> (module that registers it, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("penstock.commands.processes", "Run everything, embedded, in the home directory."),
    "edge": ("penstock.commands.processes", "Run the process that machines talk to: OTLP, feedback, gateway."),
    "worker": ("penstock.commands.processes", "Run the process that runs the stages as durable workflows."),
    "demo": ("penstock.commands.demo", "A live closed loop with simulated users: CPU only, no keys."),
    "replay": ("penstock.commands.replay", "Send OTLP bodies or JSONL, CSV, Parquet logs through the edge."),
    "ingest": ("penstock.commands.ingest", "Show whether applications say what they promised: the contract."),
    "show": ("penstock.commands.show", "Show an interaction with all that is known of it, or the latest of a session or user."),
    "sql": ("penstock.commands.sql", "DuckDB SQL over the lake and, read-only, the registry."),
    "signals": ("penstock.commands.signals", "List the signals, or settle and compute what is new."),
    "outcomes": ("penstock.commands.outcomes", "Outcomes: list and rates; bring them in from tables, git, test reports."),
    "labels": ("penstock.commands.labels", "Show the label schemas, or label what has new signals."),
    "dataset": ("penstock.commands.dataset", "Freeze, import, list and explain training sets."),
    "train": ("penstock.commands.train", "Run a recipe on a frozen dataset."),
    "checkpoint": ("penstock.commands.checkpoint", "List checkpoints and show where one came from."),
    "evaluate": ("penstock.commands.evaluate", "Freeze suites and score a checkpoint on one."),
    "release": ("penstock.commands.release", "Show routes and releases; set, promote or roll back what serves."),
    "turn": ("penstock.commands.turn", "Run and watch turns of the wheel."),
    "erase": ("penstock.commands.erase", "Forget users for good, and say what had seen them."),
    "keys": ("penstock.commands.keys", "Create, list and revoke API keys."),
    "config": ("penstock.commands.configuration", "Print every setting that holds and where it came from."),
}


def build_cli(*names: str) -> typer.Typer:
    """The command tree with these commands real and the others known by name and help only; none given, all are real."""
    cli = typer.Typer(
        name="penstock",
        help="Penstock connects what users do with an AI product back to the model's weights.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    cli.callback()(_root)
    for name, (module, summary) in COMMANDS.items():
        if not names or name in names:
            importlib.import_module(module).register(cli, name, summary)
        else:
            cli.command(name, help=summary)(_unreachable)
    return cli


def main() -> None:
    """Entry point: user mistakes end with one line on standard error and exit code 1, never with a traceback."""
    arguments = sys.argv[1:]
    typed = next((argument for argument in arguments if argument in COMMANDS), "none")
    try:
        build_cli(typed)()
    except PenstockError as error:
        print(f"penstock: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def _unreachable() -> NoReturn:
    raise AssertionError("a command was run whose module was not loaded")


if __name__ == "__main__":
    main()
