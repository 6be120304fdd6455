"""The part of `penstock labels` that brings in what people answered elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, to_plain
from penstock.errors import BadInputError
from penstock.labels.importing import import_labels
from penstock.labels.schema import GOOD

_MOST_SHOWN = 20


def add_to(labels: typer.Typer) -> None:
    """Add these commands to the group."""
    labels.command("import")(import_file)


def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with `value` and one of interaction_id, request_id, session_id; may have dimension, annotator, "
            "inclusion_probability, rationale."
        ),
    ],
    dimension: Annotated[str, typer.Option("--dimension", help="What rows answer that do not say.")] = GOOD,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Import people's answers as labels, each with the probability with which it was drawn for being asked.

    The same file again adds nothing. Rows that are refused are named, and all others imported.
    """
    penstock = Penstock(options.load(home).settings)
    with penstock.lake.writing():
        done = import_labels(penstock.lake, penstock.registry, penstock.lake_redactor, penstock.clock, file, dimension=dimension)
    if json:
        print_fields(to_plain(done), as_json=True)
    else:
        print_fields({**to_plain(done), "refused": len(done.refused)}, as_json=False)
        for reason in done.refused[:_MOST_SHOWN]:
            print(f"  {reason}")
    if done.refused:
        raise BadInputError(f"{len(done.refused)} of {done.rows} rows of {file} were refused; the others are imported.")
