"""`penstock demo`: the loop, closed, with simulated users."""

from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.commands import options
from penstock.commands.printing import print_json, print_rows
from penstock.demo.script import run_demo
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
    result = run_demo(folder, seed, quiet=json)
    if json:
        print_json(result)
        return
    print_rows(
        [_row(turn) for turn in result["turns"]], as_json=False, title="\nWhat simulated users got, before and after each turn"
    )
    print(f"\n{result['seconds']} s in all; rollback in {result['rollback_seconds']} s; everything is in {result['home']}")
    print(f'Ask it: penstock sql --home {result["home"]} "SELECT release_arm, count(*) FROM interactions GROUP BY 1"')


def _row(turn: dict[str, Any]) -> dict[str, Any]:
    return {
        "turn": turn["turn"],
        "decision": turn["decision"],
        "acceptance": f"{turn['acceptance_before']:.3f} -> {turn['acceptance_after']:.3f} ±{turn['acceptance_margin']:.3f}",
        "suggested": f"{turn['suggestion_rate_before']:.3f} -> {turn['suggestion_rate_after']:.3f}",
        "reward": f"{turn['reward_before']:+.3f} -> {turn['reward_after']:+.3f} ±{turn['reward_margin']:.3f}",
        "p-value": turn["p_value"],
    }
