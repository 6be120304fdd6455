"""`penstock outcomes`: where outcomes come from."""

import typer

from penstock.commands import outcome_sources


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `outcomes`."""
    outcomes = typer.Typer(help=summary, no_args_is_help=True)
    outcome_sources.add_to(outcomes)
    cli.add_typer(outcomes, name=name)
