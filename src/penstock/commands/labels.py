"""`penstock labels`: the questions, the rules that answer them, and the answers' counts."""

import typer
from ibis import _

from penstock.app import Penstock
from penstock.commands import label_import, options
from penstock.commands.label_model import model
from penstock.commands.printing import print_fields, print_rows, to_plain
from penstock.labels.model_labels import ANNOTATOR
from penstock.labels.run import current_labels, run_labels
from penstock.signals.definitions import in_force

MODEL = ANNOTATOR.partition("@")[0]


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `labels`."""
    labels = typer.Typer(help=summary, no_args_is_help=True)
    labels.command("schemas")(schemas)
    labels.command("counts")(counts)
    labels.command("run")(run)
    label_import.add_to(labels)
    labels.command("model")(model)
    cli.add_typer(labels, name=name)


def schemas(home: options.Home = None, json: options.Json = False) -> None:
    """List the questions of every label schema."""
    rows = [
        {"schema": f"{schema.name} v{schema.version}", **to_plain(dimension)}
        for schema in Penstock(options.load(home).settings).registry.schemas.list()
        for dimension in schema.dimensions
    ]
    print_rows(rows, as_json=json, empty="No schemas yet; `penstock labels run` registers the first.")


def counts(home: options.Home = None, json: options.Json = False) -> None:
    """Count the current labels by dimension, rule and value; probabilities of a label model by tenths."""
    lake = Penstock(options.load(home).settings).lake
    labels = current_labels(lake.current("labels"))
    by_tenths = labels.annotator.startswith(MODEL).ifelse(labels.value.round(1), labels.value)  # a probability has many values
    grouped = labels.mutate(value=by_tenths).group_by("dimension", "annotator", "value").aggregate(labels=_.count())
    print_rows(grouped.order_by("dimension", "annotator", "value").to_pyarrow().to_pylist(), as_json=json, empty="No labels.")


def run(home: options.Home = None, json: options.Json = False) -> None:
    """Label what has new signals, once; a running worker does so by itself."""
    penstock = Penstock(options.load(home).settings)
    definitions = in_force(penstock.settings.signals, penstock.home)
    with penstock.lake.writing():
        done = run_labels(penstock.lake, penstock.registry, penstock.settings.reward, penstock.clock, definitions=definitions)
    print_fields(to_plain(done), as_json=json)
