"""`penstock ingest`: what applications say with their traffic, and what they should."""

from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_rows, to_plain
from penstock.ingest.contract import WEEK, FieldShare, check_contracts, contract_shares
from penstock.ingest.contract_fields import change
from penstock.records.clock import utc_now

Application = Annotated[str | None, typer.Option("--application", "-a", help="Only this application.")]


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `ingest`."""
    ingest = typer.Typer(help=summary, no_args_is_help=True)
    ingest.callback()(_group)
    ingest.command("contract")(contract)
    cli.add_typer(ingest, name=name)


def _group() -> None:
    """Keep `contract` a sub-command while it is the only one."""


def contract(application: Application = None, home: options.Home = None, json: options.Json = False) -> None:
    """Show which share of each application's traffic meets its contract, and what to change where it does not."""
    penstock = Penstock(options.load(home).settings)
    settings = penstock.settings
    check_contracts(settings.contracts)
    now = utc_now()
    interactions = penstock.lake.current("interactions", dates=((now - 2 * WEEK).date(), now.date()))
    shares = contract_shares(interactions, settings.contracts, settings.traffic.exposures, now)
    shown = [share for share in shares if application is None or share.application == application]
    if json:
        print_rows([_with_change(share) for share in shown], as_json=True)
        return
    nothing = "No interactions in the last two weeks" + (f" of {application!r}." if application else ".")
    print_rows([to_plain(share) for share in shown], as_json=False, empty=nothing)
    _print_changes(shown)


def _with_change(share: FieldShare) -> dict[str, object]:
    wanted = to_plain(change(share.field)) if share.is_warning else None
    return {**to_plain(share), "change": wanted}


def _print_changes(shares: list[FieldShare]) -> None:
    """Each field that is not met once, whichever applications lack it."""
    lacking: dict[str, list[str]] = {}
    for share in shares:
        if share.is_warning and share.interactions:
            lacking.setdefault(share.field, []).append(share.application or "(no application)")
    for field, applications in lacking.items():
        wanted = change(field)
        print(f"\n{field}: to change in {', '.join(applications)}\n  OTel     {wanted.otel}\n  gateway  {wanted.gateway}")
