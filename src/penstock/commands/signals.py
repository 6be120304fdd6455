"""`penstock signals`: what is read from behaviour, how much of it there is, and trying out a new one."""

import inspect
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from penstock.app import Penstock
from penstock.commands import options, signal_missing, signal_quality
from penstock.commands.printing import print_fields, print_rows, to_plain
from penstock.errors import BadInputError, ConfigurationError, ConflictError, NotFoundError
from penstock.ingest.prices import load_prices
from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.ingest.settle_outcomes import outcome_settling
from penstock.lake.lake import Lake
from penstock.records.clock import utc_now
from penstock.settings import SignalSettings
from penstock.signals.definition import Definition, label
from penstock.signals.definitions import BUILT_IN_NAMES, all_definitions
from penstock.signals.engine import Engine, LakeEngine
from penstock.signals.feedback_due import JUDGED
from penstock.signals.feedback_judge import MOST_AT_ONCE
from penstock.signals.run import run_signals
from penstock.signals.spark_engine import spark_engine
from penstock.signals.trial import Trial, try_definition
from penstock.signals.user_defined import require_usable_name, user_definition
from penstock.worker.judging import Judging, find_judge

EMBEDDED = "duckdb"
_SUMMARY_WIDTH = 120
_NONE_FOUND = {"signals": 0, "errors": 0}


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `signals`."""
    signals = typer.Typer(help=summary, no_args_is_help=True)
    signals.command("list")(show_all)
    signals.command("run")(run)
    signals.command("try")(try_out)
    signals.command("judge")(judge)
    signal_quality.add_to(signals)
    signal_missing.add_to(signals)
    cli.add_typer(signals, name=name)


def show_all(home: options.Home = None, json: options.Json = False) -> None:
    """List the definitions, what each means, how many signals it has found, and how many of them tell of an error alone.

    Signals of an older version stay beside those of the newer one and are listed as `not in force`.
    """
    penstock = Penstock(options.load(home).settings)
    found = _counts(penstock.lake)
    definitions = all_definitions(penstock.settings.signals, penstock.home)
    rows: list[dict[str, Any]] = [
        {
            "definition": label(one),
            **found.pop(label(one), _NONE_FOUND),
            "reads": one.source,
            "meaning": meaning(one, penstock.settings.signals),
        }
        for one in definitions.values()
    ]
    if penstock.settings.judge.model:
        said = "what a judge says of the messages that `feedback` is unsure of"
        rows.append({"definition": JUDGED, **found.pop(JUDGED, _NONE_FOUND), "reads": "signals", "meaning": said})
    rows += [{"definition": name, **found[name], "reads": "", "meaning": "not in force"} for name in sorted(found)]
    print_rows(rows, as_json=json)


def _counts(lake: Lake) -> dict[str, dict[str, int]]:
    """By definition how many signals there are, and how many of them tell of an error."""
    signals = lake.current("signals")
    counts = signals.group_by("definition").aggregate(
        signals=signals.count(), errors=signals.count(where=signals.evidence.contains("error"))
    )
    return {row.pop("definition"): row for row in counts.to_pyarrow().to_pylist()}


def meaning(definition: Definition, declared: Mapping[str, SignalSettings]) -> str:
    """One line on what a signal is: a built-in one's file opens with it."""
    if definition.name in declared:
        one = declared[definition.name]
        return one.description or (one.sql or one.python)[:_SUMMARY_WIDTH]
    module = inspect.getmodule(getattr(definition, "select", type(definition)))
    opening = " ".join((inspect.getdoc(module) or "").split("\n\n")[0].split())
    said = opening.partition(": ")[2] or opening
    return said if len(said) <= _SUMMARY_WIDTH else said[: _SUMMARY_WIDTH - 1].rsplit(" ", 1)[0] + "…"


def run(
    home: options.Home = None,
    json: options.Json = False,
    settle: Annotated[bool, typer.Option(help="Settle spans and feedback first.")] = True,
    engine: Annotated[
        str, typer.Option(help="Where definitions run: duckdb, in this process, or a Spark master such as spark://HOST:7077.")
    ] = EMBEDDED,
    spark: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A setting of the Spark session; may be repeated.")
    ] = None,
) -> None:
    """Compute what is new, once; a running worker does so by itself.

    On Spark, whose workers must see the lake and have this package installed, everything new is one piece of work.
    """
    penstock = Penstock(options.load(home).settings)
    definitions = all_definitions(penstock.settings.signals, penstock.home)
    with penstock.lake.writing():
        if settle:
            prices = load_prices(penstock.settings.prices)
            settle_interactions(penstock.lake, penstock.clock, price=prices.cost, sampling=penstock.sampling)
            expiry_h, outcomes = penstock.settings.ingest.pending_expiry_h, outcome_settling(penstock.settings)
            settle_feedback(penstock.lake, penstock.clock, expiry_h, outcomes=outcomes)
        with opened_engine(penstock.lake, engine, spark or []) as chosen:
            written = run_signals(penstock.lake, penstock.clock, definitions=definitions, engine=chosen)
    print_fields({**written, "total": sum(written.values())}, as_json=json)
    found = _counts(penstock.lake) if written.keys() & penstock.settings.signals.keys() else {}
    for one in definitions.values():
        if one.name in written and (counts := found.get(label(one), _NONE_FOUND))["errors"]:
            told = f"{counts['errors']} of the {counts['signals']} signals of {one.name} are errors and no values"
            print(f"{told}; `penstock signals try {one.name}` shows some.", file=sys.stderr)


@contextmanager
def opened_engine(lake: Lake, name: str, settings: list[str]) -> Iterator[Engine]:
    """The engine of this name."""
    given = dict(setting.partition("=")[::2] for setting in settings)
    unset = [setting for setting in settings if "=" not in setting]
    if unset:
        raise BadInputError(f"--spark {unset[0]!r} has no value; write --spark spark.executor.memory=4g.")
    if name == EMBEDDED:
        yield LakeEngine(lake)
        return
    with spark_engine(lake, name, given) as engine:
        yield engine


def judge(
    most: Annotated[int, typer.Option(min=1, help="Most messages to ask about.")] = MOST_AT_ONCE,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Ask the judge of [judge] about messages that cues leave unsure, once; a running worker does so by itself.

    Its answers are signals `feedback` of `feedback_judge@1`, beside those of the cues.
    """
    penstock = Penstock(options.load(home).settings)
    chosen = find_judge(penstock)
    if chosen is None:
        raise ConfigurationError("There is no judge; set `model`, and `base_url` or `upstream`, under [judge].")
    judged = Judging(chosen, penstock, f"judge@{socket.gethostname()}:{os.getpid()}").judge(most)
    if judged is None:
        raise ConflictError("Another process, such as the worker, is asking the judge; try again when it is done.")
    print_fields(to_plain(judged), as_json=json)


def try_out(
    name: Annotated[str, typer.Argument(help="A definition by name, or the name for a new one given by --sql or --python.")],
    sql: Annotated[str, typer.Option(help="One SELECT over `interactions` or `reports`.")] = "",
    python: Annotated[str, typer.Option(help="`module:function` or `file.py:function` of a row.")] = "",
    source: Annotated[str, typer.Option(help="What it reads: interactions or reports.")] = "interactions",
    target: Annotated[str, typer.Option(help="What it is about: interaction or session.")] = "interaction",
    sample: Annotated[int, typer.Option(min=1, help="How many of the newest interactions to read, with their sessions.")] = 1000,
    examples: Annotated[int, typer.Option(min=0, help="How many findings to show.")] = 10,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Run one definition over the newest traffic and show what it would find; nothing is written."""
    penstock = Penstock(options.load(home).settings)
    definition = _chosen(penstock, name, sql, python, source, target)
    trial = try_definition(penstock.lake, definition, sample, utc_now(), examples)
    if json:
        print_fields(to_plain(trial), as_json=True)
        return
    told = {field: value for field, value in to_plain(trial).items() if field not in ("examples", "quantiles")}
    print_fields({**told, **trial.quantiles}, as_json=False)
    if not trial.targets:
        print(f"\n{_nothing_found(definition, trial, target if sql else None)}")
    if trial.examples:
        print()
        rows = [
            {**one, "evidence": ", ".join(f"{key} {value}" for key, value in one["evidence"].items())} for one in trial.examples
        ]
        print_rows(rows, as_json=False)


def _nothing_found(definition: Definition, trial: Trial, target: str | None) -> str:
    if not trial.interactions:
        return "There is no interaction to try it on; `penstock signals run` settles what has just come."
    which = f" A row counts where its {target}_id is one of `{definition.source}`." if target else ""
    return f"It found nothing among the newest {trial.interactions} interactions.{which} To look at more, say --sample."


def _chosen(penstock: Penstock, name: str, sql: str, python: str, source: str, target: str) -> Definition:
    if sql or python:
        if source not in ("interactions", "reports") or target not in ("interaction", "session"):
            raise BadInputError(
                f"--source {source} --target {target}: a source is interactions or reports, a target interaction or session."
            )
        require_usable_name(name, BUILT_IN_NAMES)
        declared = SignalSettings(sql=sql, python=python, source=source, target=target)  # type: ignore[arg-type]
        return user_definition(name, declared, penstock.home)
    definitions = all_definitions(penstock.settings.signals, penstock.home)
    if name not in definitions:
        raise NotFoundError(
            f"There is no signal {name!r}; there are {', '.join(sorted(definitions))}. A new one needs --sql or --python."
        )
    return definitions[name]
