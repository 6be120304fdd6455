"""`penstock checkpoint`: what has been trained, and where it came from."""

from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, print_rows, to_plain


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `checkpoint`."""
    checkpoint = typer.Typer(help=summary, no_args_is_help=True)
    checkpoint.command("list")(show_all)
    checkpoint.command("show")(show)
    cli.add_typer(checkpoint, name=name)


def show_all(home: options.Home = None, json: options.Json = False) -> None:
    """List every checkpoint, oldest first."""
    rows = [
        {
            "checkpoint_id": item.checkpoint_id,
            "name": item.name,
            "parent": item.parent_checkpoint_id,
            "run": item.training_run_id,
            "dataset": item.dataset_version_id,
            "created_at": item.created_at,
        }
        for item in Penstock(options.load(home).settings).registry.checkpoints.list()
    ]
    print_rows(rows, as_json=json, empty="No checkpoints; `penstock train` makes one.")


def show(
    checkpoint_id: Annotated[str, typer.Argument(help="As `penstock checkpoint list` shows it.")],
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Print a checkpoint with its chain of parents back to the first, each with run and dataset."""
    registry = Penstock(options.load(home).settings).registry
    checkpoint = registry.checkpoints.get(checkpoint_id)
    chain = [checkpoint]
    while chain[-1].parent_checkpoint_id is not None:
        chain.append(registry.checkpoints.get(chain[-1].parent_checkpoint_id))
    print_fields({**to_plain(checkpoint), "evaluations": len(registry.evaluations.list(checkpoint_id))}, as_json=json)
    if not json:
        rows = [
            {"checkpoint_id": item.checkpoint_id, "run": item.training_run_id, "dataset": item.dataset_version_id}
            for item in chain
        ]
        print_rows(rows, as_json=False, title="\nChain of parents")
