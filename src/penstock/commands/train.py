"""`penstock train`: one recipe on one frozen dataset, from one parent."""

from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, to_plain
from penstock.records.ids import random_id
from penstock.training.register import train as run_training


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `train`."""
    cli.command(name, help=summary)(train)


def train(
    recipe: Annotated[str, typer.Argument(help="sft, kto, policy_gradient or classifier.")],
    dataset: Annotated[str, typer.Option("--dataset", help="Id of a frozen dataset.")],
    parent: Annotated[str | None, typer.Option("--parent", help="Id of the checkpoint to go on from.")] = None,
    rehearsal: Annotated[str | None, typer.Option("--rehearsal", help="Id of an SFT set that must not be unlearned.")] = None,
    config: Annotated[str | None, typer.Option("--config", help="Hyperparameters as a JSON object, or @FILE.")] = None,
    name: Annotated[str, typer.Option("--name", help="What to call the checkpoint.")] = "",
    seed: Annotated[int, typer.Option("--seed")] = 0,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Train and register a checkpoint; the same data, config and seed give the same weights."""
    penstock = Penstock(options.load(home).settings)
    registry = penstock.registry
    checkpoint = run_training(
        registry,
        penstock.settings,
        penstock.artifacts,
        run_id=random_id("run"),
        recipe=recipe,
        dataset=registry.datasets.get(dataset),
        parent=registry.checkpoints.get(parent) if parent else None,
        rehearsal=registry.datasets.get(rehearsal) if rehearsal else None,
        overrides=options.parse_json_object(config, "--config"),
        seed=seed,
        name=name,
    )
    print_fields(to_plain(checkpoint), as_json=json)
