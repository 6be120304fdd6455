"""`penstock outcomes`: where outcomes come from, what became of them, and how many interactions get one."""

import typer

from penstock.commands import outcome_list, outcome_rates, outcome_sources


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `outcomes`."""
    outcomes = typer.Typer(help=summary, no_args_is_help=True)
    outcomes.command("list")(outcome_list.show_all)
    outcomes.command("rates")(outcome_rates.rates)
    outcome_sources.add_to(outcomes)
    cli.add_typer(outcomes, name=name)
