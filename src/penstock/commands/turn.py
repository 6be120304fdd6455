"""`penstock turn`: run, list and show turns of the wheel."""

import time
from typing import Annotated, Any

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, print_rows, to_plain
from penstock.records.turn import Turn, TurnState
from penstock.registry.registry import Registry
from penstock.release.canary import flip_seconds
from penstock.worker.client import cancel_turn, enqueue_turn
from penstock.worker.turn_plan import parse_plan

_POLL_S = 0.3


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `turn`."""
    turn = typer.Typer(help=summary, no_args_is_help=True)
    turn.command("run")(run)
    turn.command("list")(show_all)
    turn.command("show")(show)
    turn.command("cancel")(cancel)
    cli.add_typer(turn, name=name)


def run(
    route: Annotated[str, typer.Argument(help="The route to improve.")],
    recipe: Annotated[str, typer.Option("--recipe", help="sft, kto, policy_gradient or classifier.")] = "policy_gradient",
    plan: Annotated[
        str | None, typer.Option("--plan", help="Other parts of the plan as a JSON object, or @FILE (docs/turn.md).")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the turn has ended.")] = True,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Ask the running worker for a turn: collect, freeze, train, prove, release."""
    penstock = Penstock(options.load(home).settings)
    parts = {"recipe": recipe, **options.parse_json_object(plan, "--plan"), "route": route}
    turn = enqueue_turn(penstock.settings, penstock.registry, parse_plan(parts))
    step = ""
    while wait and turn.state == TurnState.RUNNING:
        time.sleep(_POLL_S)
        turn = penstock.registry.turns.get(turn.turn_id)
        if turn.step != step:
            step = turn.step
            typer.echo(f"turn {turn.number} of {route}: {step}", err=True)
    print_fields(_describe(penstock.registry, turn), as_json=json)


def show_all(home: options.Home = None, json: options.Json = False) -> None:
    """List every turn."""
    names = ("turn_id", "route", "number", "state", "step", "checkpoint_id", "reason", "started_at")
    rows = [
        {name: to_plain(turn)[name] for name in names} for turn in Penstock(options.load(home).settings).registry.turns.list()
    ]
    print_rows(rows, as_json=json, empty="No turns; `penstock turn run ROUTE` starts one.")


def show(
    turn_id: Annotated[str, typer.Argument(help="As `penstock turn list` shows it.")],
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Print a turn with its evaluations and its release."""
    registry = Penstock(options.load(home).settings).registry
    print_fields(_describe(registry, registry.turns.get(turn_id)), as_json=json)


def cancel(
    turn_id: Annotated[str, typer.Argument(help="As `penstock turn list` shows it.")],
    by: Annotated[str, typer.Option("--by", help="Who asks, or why; kept as the turn's reason.")] = "a person",
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """End a running turn: at once while it trains or watches, else after its step; a canary is rolled back."""
    penstock = Penstock(options.load(home).settings)
    cancel_turn(penstock.settings, penstock.registry, penstock.artifacts, turn_id, by)
    print_fields({"turn_id": turn_id, "cancelled_by": by}, as_json=json)


def _describe(registry: Registry, turn: Turn) -> dict[str, Any]:
    described = to_plain(turn)
    if turn.dataset_version_id is not None:
        described["dataset"] = to_plain(registry.datasets.get(turn.dataset_version_id))
    if turn.training_run_id is not None:
        described["training_run"] = to_plain(registry.runs.get(turn.training_run_id))
    if turn.checkpoint_id is not None:
        described["evaluations"] = to_plain(registry.evaluations.list(turn.checkpoint_id))
    if turn.release_id is not None:
        release = registry.releases.get(turn.release_id)
        described["release"] = {**to_plain(release), "flip_seconds": flip_seconds(release)}
    return dict(described)
