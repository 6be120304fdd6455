"""`penstock demo`: the loop, closed, with simulated users."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.commands import options
from penstock.commands.printing import print_json, print_rows
from penstock.demo.narration import Narration
from penstock.demo.script import FIGURES_FILE, run_demo
from penstock.records.ids import random_id


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `demo`."""
    cli.command(name, help=summary)(demo)


def demo(
    home: options.Home = None,
    seed: Annotated[int, typer.Option("--seed", help="Of users, model and training.")] = 0,
    json: options.Json = False,
) -> None:
    """Train a tiny model, let simulated users use it, and turn the wheel: two good turns, two that must be stopped."""
    folder = home or Path(".penstock") / random_id("demo")
    result = run_demo(folder, seed, Narration())
    if json:
        print_json(result)
        return
    rows = [_row(turn) for turn in result["turns"]]
    print_rows(rows, as_json=False, title="\nWhat simulated users got, before and after each turn (± half of the 95 % interval)")
    rollback = result["rollback_seconds"]
    print(f"\n{result['serving']} serves. {result['seconds']} s in all", end="")
    print("." if rollback is None else f"; the roll-back took {rollback:.3f} s from verdict to the last edge.")
    print("The users were simulated; their interactions are marked so. The same figures, from the lake:")
    home_typed, file_typed = shlex.quote(result["home"]), shlex.quote(f"{result['home']}/{FIGURES_FILE}")
    print(f"  {shlex.quote(sys.argv[0])} sql --home {home_typed} - < {file_typed}")


def _row(turn: dict[str, Any]) -> dict[str, Any]:
    return {
        "turn": str(turn["turn"]),
        "decision": turn["decision"].replace("_", " "),
        "suggested": _change(turn, "suggestion_rate", ".3f"),
        "accepted of these": _change(turn, "acceptance", ".3f"),
        "reward a request": _change(turn, "reward", "+.3f"),
        "p-value": turn["p_value"],
    }


def _change(turn: dict[str, Any], name: str, style: str) -> str:
    before, after = (f"{turn[f'{name}_{when}']:{style}} ±{turn[f'{name}_margin_{when}']:.3f}" for when in ("before", "after"))
    return f"{before} → {after}"
