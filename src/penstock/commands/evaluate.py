"""`penstock evaluate`: suites, and a checkpoint's scores on them."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, print_rows, to_plain
from penstock.errors import BadInputError
from penstock.evaluation.run import Evaluator, require_suite
from penstock.evaluation.suite_files import ExactItem, exact_item, freeze_exact_match, freeze_held_out
from penstock.evaluation.verdict import Tolerances

SuiteName = Annotated[str, typer.Option("--suite", help="Name of the suite; its newest version counts.")]


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `evaluate`."""
    evaluate = typer.Typer(help=summary, no_args_is_help=True)
    evaluate.command("freeze")(freeze)
    evaluate.command("suites")(suites)
    evaluate.command("run")(run)
    evaluate.command("list")(show_all)
    cli.add_typer(evaluate, name=name)


def freeze(
    suite: SuiteName,
    items: Annotated[Path | None, typer.Option("--items", help='JSONL with {"prompt": [...], "expected": "..."}.')] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Id of an events or tabular dataset whose test split to take.")
    ] = None,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Freeze a suite: exact answers from a file, or held-out events from a dataset."""
    penstock = Penstock(options.load(home).settings)
    registry, at = penstock.registry, penstock.clock.known_at()
    if (items is None) == (dataset is None):
        raise BadInputError("Give either --items, for exact answers, or --dataset, for held-out events.")
    if items is not None:
        frozen = freeze_exact_match(registry, penstock.artifacts, suite, _read_items(items), at)
    else:
        with penstock.lake.writing():
            frozen = freeze_held_out(registry, penstock.artifacts, suite, registry.datasets.get(str(dataset)), at)
    print_fields(to_plain(frozen), as_json=json)


def suites(home: options.Home = None, json: options.Json = False) -> None:
    """List every suite."""
    rows = [to_plain(suite) for suite in Penstock(options.load(home).settings).registry.suites.list()]
    print_rows(rows, as_json=json, empty="No suites; `penstock evaluate freeze` makes one.")


def run(
    suite: SuiteName,
    checkpoint: Annotated[str, typer.Option("--checkpoint", help="The one to examine.")],
    baseline: Annotated[str, typer.Option("--baseline", help="The one to compare it with.")],
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Score a checkpoint beside another; needs the model server."""
    penstock = Penstock(options.load(home).settings)
    registry = penstock.registry
    evaluator = Evaluator(penstock.lake, registry, penstock.artifacts, penstock.settings)
    found = evaluator.evaluate(
        require_suite(registry, suite),
        registry.checkpoints.get(checkpoint),
        registry.checkpoints.get(baseline),
        Tolerances(),
        penstock.clock.known_at(),
    )
    print_fields(to_plain(found), as_json=json)


def show_all(home: options.Home = None, json: options.Json = False) -> None:
    """List every evaluation."""
    rows = [to_plain(item) for item in Penstock(options.load(home).settings).registry.evaluations.list()]
    print_rows(rows, as_json=json, empty="No evaluations.")


def _read_items(path: Path) -> list[ExactItem]:
    items: list[ExactItem] = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}.") from error
    for number, line in enumerate(lines, start=1):
        try:
            row: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
            items.append(exact_item(row["prompt"], row["expected"]))
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise BadInputError(f"{path}, line {number}: {error!r}; a line needs prompt and expected.") from error
    return items
