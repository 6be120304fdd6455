"""`penstock signals`: what is read from behaviour, and how much of it there is."""

from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, print_rows
from penstock.ingest.prices import load_prices
from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.signals.definitions import DEFINITIONS
from penstock.signals.run import run_signals


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `signals`."""
    signals = typer.Typer(help=summary, no_args_is_help=True)
    signals.command("list")(show_all)
    signals.command("run")(run)
    cli.add_typer(signals, name=name)


def show_all(home: options.Home = None, json: options.Json = False) -> None:
    """List the definitions with how many signals each has found."""
    lake = Penstock(options.load(home).settings).lake
    counts = lake.current("signals").definition.value_counts(name="signals").to_pyarrow().to_pylist()
    found = {row["definition"]: row["signals"] for row in counts}
    rows = [
        {"definition": label, "signals": found.get(label, 0)}
        for label in (f"{one.name}@{one.version}" for one in DEFINITIONS.values())
    ]
    print_rows(rows, as_json=json)


def run(
    home: options.Home = None,
    json: options.Json = False,
    settle: Annotated[bool, typer.Option(help="Settle spans and feedback first.")] = True,
) -> None:
    """Compute what is new, once; a running worker does so by itself."""
    penstock = Penstock(options.load(home).settings)
    with penstock.lake.writing():
        if settle:
            prices = load_prices(penstock.settings.prices)
            settle_interactions(penstock.lake, penstock.clock, price=prices.cost, sampling=penstock.sampling)
            settle_feedback(penstock.lake, penstock.clock, penstock.settings.ingest.pending_expiry_h)
        written = run_signals(penstock.lake, penstock.clock)
    print_fields({**written, "total": sum(written.values())}, as_json=json)
