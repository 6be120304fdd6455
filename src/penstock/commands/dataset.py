"""`penstock dataset`: freeze, import, list and explain training sets."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, print_rows, to_plain
from penstock.datasets.describe import describe_dataset
from penstock.datasets.freeze import freeze_dataset
from penstock.datasets.importing import import_dataset
from penstock.datasets.spec import DatasetSpec
from penstock.errors import BadInputError
from penstock.records.dataset import DatasetKind, DatasetVersion

Name = Annotated[str, typer.Option("--name", help="What to call it; versions of one name belong together.")]
Kind = Annotated[DatasetKind, typer.Option("--kind", help="What the rows look like.")]
Moment = Annotated[str | None, typer.Option(metavar="TIME", help="ISO 8601, with offset or Z.")]


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `dataset`."""
    dataset = typer.Typer(help=summary, no_args_is_help=True)
    dataset.command("build")(build)
    dataset.command("import")(bring_in)
    dataset.command("list")(show_all)
    dataset.command("show")(show)
    cli.add_typer(dataset, name=name)


def build(
    name: Name,
    kind: Kind,
    application: Annotated[str | None, typer.Option(help="Only this application.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Only what this checkpoint answered.")] = None,
    exposure: Annotated[list[str] | None, typer.Option(help="May be repeated; default: traffic.exposures.")] = None,
    since: Moment = None,
    until: Moment = None,
    as_of: Moment = None,
    limit: Annotated[int | None, typer.Option(help="Only the newest so many.")] = None,
    schema: Annotated[str, typer.Option(help="Label schema.")] = "response-quality",
    dimension: Annotated[
        str | None, typer.Option(help="Whose labels; default: the question that the kind is made for. A tabular set needs it.")
    ] = None,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Freeze a set from labelled interactions; the same rule as of the same time gives the same bytes."""
    penstock = Penstock(options.load(home).settings)
    spec = DatasetSpec(
        name=name,
        kind=str(kind),
        application=application,
        checkpoint_id=checkpoint,
        exposures=tuple(exposure or penstock.settings.traffic.exposures),
        since=_moment(since, "--since"),
        until=_moment(until, "--until"),
        limit=limit,
        schema=schema,
        dimension=dimension,
        test_share=penstock.settings.dataset.test_share,
    )
    known_at = _moment(as_of, "--as-of") or penstock.clock.known_at()
    _print(freeze_dataset(penstock.lake, penstock.registry, penstock.artifacts, spec, known_at), as_json=json)


def bring_in(
    file: Annotated[Path, typer.Argument(help='JSONL with {"prompt": [...], "completion": "..."} in each line.')],
    name: Name,
    test_share: Annotated[float, typer.Option(help="Share held out.")] = 0.0,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Freeze an SFT set from a file: for a first model, or for rehearsal."""
    penstock = Penstock(options.load(home).settings)
    known_at = penstock.clock.known_at()
    found = import_dataset(
        penstock.lake, penstock.registry, penstock.artifacts, file, name, test_share, known_at, penstock.lake_redactor
    )
    _print(found, as_json=json)


def show_all(home: options.Home = None, json: options.Json = False) -> None:
    """List every version, oldest first."""
    rows = [
        {name: to_plain(item)[name] for name in ("dataset_version_id", "name", "kind", "train_rows", "test_rows", "created_at")}
        for item in Penstock(options.load(home).settings).registry.datasets.list()
    ]
    print_rows(rows, as_json=json, empty="No datasets; `penstock dataset build` freezes one.")


def show(
    dataset_version_id: Annotated[str, typer.Argument(help="As `penstock dataset list` shows it.")],
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Print what a version is made of and the chain back to its requests."""
    penstock = Penstock(options.load(home).settings)
    dataset = penstock.registry.datasets.get(dataset_version_id)
    print_fields(to_plain(describe_dataset(penstock.lake, penstock.registry, dataset)), as_json=json)


def _moment(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInputError(f"{option} {text!r} is no time; write 2026-03-01T12:00:00Z.") from error
    if moment.tzinfo is None:
        raise BadInputError(f"{option} {text!r} has no offset; write 2026-03-01T12:00:00Z.")
    return moment


def _print(dataset: DatasetVersion, *, as_json: bool) -> None:
    print_fields(to_plain(dataset), as_json=as_json)
