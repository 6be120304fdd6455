"""`penstock release`: which checkpoint serves, what is on its way, and the way back."""

from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, print_rows, to_plain
from penstock.records.clock import utc_now
from penstock.records.release import Release
from penstock.release.canary import Flips, flip_seconds

ReleaseId = Annotated[str, typer.Argument(help="As `penstock release list` shows it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the release.")]


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `release`."""
    release = typer.Typer(help=summary, no_args_is_help=True)
    release.command("routes")(routes)
    release.command("list")(show_all)
    release.command("show")(show)
    release.command("set-stable")(set_stable)
    release.command("promote")(promote)
    release.command("roll-back")(roll_back)
    cli.add_typer(release, name=name)


def routes(home: options.Home = None, json: options.Json = False) -> None:
    """List routes: the model names that applications ask for, and what answers them."""
    rows = [to_plain(route) for route in Penstock(options.load(home).settings).registry.routes.list()]
    print_rows(rows, as_json=json, empty="No routes; `penstock release set-stable ROUTE CHECKPOINT` makes one.")


def show_all(home: options.Home = None, json: options.Json = False) -> None:
    """List every release, oldest first."""
    rows = [_row(release) for release in Penstock(options.load(home).settings).registry.releases.list()]
    print_rows(rows, as_json=json, empty="No releases; a turn makes them.")


def show(release_id: ReleaseId, home: options.Home = None, json: options.Json = False) -> None:
    """Print a release and what happened to it, with the evidence of each decision."""
    registry = Penstock(options.load(home).settings).registry
    release = registry.releases.get(release_id)
    events = [to_plain(event) for event in registry.releases.events(release_id)]
    if json:
        print_fields({**_row(release), "events": events}, as_json=True)
        return
    print_fields(_row(release), as_json=False)
    print_rows([{name: event[name] for name in ("at", "state", "evidence")} for event in events], as_json=False, title="\nEvents")


def set_stable(
    route: Annotated[str, typer.Argument(help="The model name that applications ask for.")],
    checkpoint_id: Annotated[str, typer.Argument(help="As `penstock checkpoint list` shows it.")],
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Let a checkpoint answer a route's whole traffic at once, without proof: for the first one, and for emergencies."""
    registry = Penstock(options.load(home).settings).registry
    at = utc_now()
    with registry.transaction():
        registry.checkpoints.get(checkpoint_id)
        changed = registry.routes.set_stable(route, checkpoint_id, at)
        registry.audit.write("cli", "set-stable", f"route:{route}", checkpoint_id, at)
    print_fields(to_plain(changed), as_json=json)


def promote(release_id: ReleaseId, reason: Reason, home: options.Home = None, json: options.Json = False) -> None:
    """Let a canary's candidate answer everyone, on a person's word."""
    _end(release_id, "promote", reason, home, as_json=json)


def roll_back(release_id: ReleaseId, reason: Reason, home: options.Home = None, json: options.Json = False) -> None:
    """Let the checkpoint before answer everyone again."""
    _end(release_id, "roll-back", reason, home, as_json=json)


def _end(release_id: str, action: str, reason: str, home: options.Home, *, as_json: bool) -> None:
    penstock = Penstock(options.load(home).settings)
    flips = Flips(penstock.registry, penstock.settings.release)
    move = flips.promote if action == "promote" else flips.roll_back
    release = move(release_id, reason, {"by": "cli"})
    penstock.registry.audit.write("cli", action, f"release:{release_id}", reason, utc_now())
    print_fields(_row(release), as_json=as_json)


def _row(release: Release) -> dict[str, object]:
    return {
        "release_id": release.release_id,
        "route": release.route,
        "state": release.state,
        "checkpoint": release.checkpoint_id,
        "stable": release.stable_checkpoint_id,
        "p_value": release.p_value,
        "flip_seconds": flip_seconds(release),
        "reason": release.reason,
        "created_at": release.created_at,
    }
