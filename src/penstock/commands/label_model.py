"""`penstock labels model`: what labelling functions are worth, and the probability of every interaction, or of a file's items."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy
import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, print_json, print_rows, to_plain
from penstock.errors import BadInputError
from penstock.labels.function_report import FunctionReport
from penstock.labels.model_run import ModelRun
from penstock.labels.schema import GOOD
from penstock.labels.vote_file import VoteFile, read_truth, read_votes, write_posteriors
from penstock.records.clock import utc_now
from penstock.statistics.label_model import LabelModel, Method, fit_label_model
from penstock.statistics.votes import ABSTAIN, Indexes
from penstock.worker.label_model import model_stage

_MOST_SHOWN = 20
_METHODS = ("dawid_skene", "triplets", "majority")
_UNSURE = (
    "Too few voters know both answers, so silence was taken for a vote: the order of the probabilities can be relied on, their "
    "level cannot. Label a sample by hand, or add a function for the other answer."
)


def model(
    home: options.Home = None,
    json: options.Json = False,
    dimension: Annotated[str, typer.Option(help="The question whose functions are fitted.")] = GOOD,
    method: Annotated[
        str, typer.Option(help="dawid_skene or triplets; for a file also majority. Default: label_model.method.")
    ] = "",
    votes: Annotated[
        Path | None, typer.Option(help="Fit this CSV of item, annotator and answer instead of the lake.", dir_okay=False)
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="With --votes: a CSV of item and truth, to say how often the model is right.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="With --votes: write each item's probabilities to this new CSV.")] = None,
    merge: Annotated[bool, typer.Option(help="With --votes: join annotators that depend on each other.")] = True,
    override: options.Override = None,
) -> None:
    """Fit labelling functions by their agreement, and label every interaction with the probability that it is good.

    Shows how often each function votes, how often its voter is right where the answer is good and where it is bad, its precision
    by the model and by people's labels, how often others contradict it, and which functions count as one with it.
    """
    loaded = options.load(home, override).settings
    chosen = _method(method or loaded.label_model.method, majority=votes is not None)
    if votes is not None:
        _fit_file(votes, truth, output, chosen, merge, as_json=json)
        return
    if truth is not None or output is not None:
        raise BadInputError("--truth and --output go with --votes FILE; the lake's truth are the labels of people.")
    penstock = Penstock(loaded)
    stage = model_stage(penstock.lake, penstock.registry, loaded, penstock.clock, dimension, chosen)
    with penstock.lake.alone():  # a worker that labels meanwhile would supersede the same labels
        run = stage.fit(utc_now())
    _print_run(run, as_json=json)


def _method(name: str, *, majority: bool) -> Method:
    allowed = _METHODS if majority else _METHODS[:2]
    for method in allowed:
        if name == method:
            return method  # type: ignore[return-value]
    raise BadInputError(f"--method {name!r} is none of {', '.join(allowed)}.")


def _print_run(run: ModelRun, *, as_json: bool) -> None:
    parameters = run.fitted.parameters
    summary: dict[str, Any] = {
        "label_model": run.model.label_model_id,
        "dimension": run.model.dimension,
        "method": run.model.method,
        "interactions": run.fitted.interactions,
        "with_votes": run.fitted.voted,
        "audited": run.fitted.audited,
        "good": round(parameters.prevalence, 4),
        "silence_as_votes": parameters.silence_as_votes,
        "converged": run.fitted.converged,
        "labels_written": run.labels,
    }
    if as_json:
        print_json({**summary, "functions": [to_plain(one) for one in run.functions]})
        return
    print_fields(summary, as_json=False)
    print()
    print_rows(_without_empty([_row(one) for one in run.functions if one.coverage > 0]), as_json=False)
    unheard = [one.function for one in run.functions if one.coverage == 0]
    if unheard:
        print(f"\nNever voted: {', '.join(unheard)}.")
    turned = [one.function for one in run.functions if one.right_on_good + one.right_on_bad < 1.0 and one.coverage > 0]
    if turned:
        print(f"Wrong more often than by chance, and counted the other way round: {', '.join(turned)}.")
    if parameters.silence_as_votes:
        print(_UNSURE)


def _row(report: FunctionReport) -> dict[str, Any]:
    """The columns of the table, rounded for people."""
    audit = None
    if report.audited_precision is not None:
        audit = f"{report.audited_precision:.2f} ({report.audited_low:.2f}–{report.audited_high:.2f}) of {report.audited}"
    return {
        "function": report.function,
        "says": report.votes,
        "covers": round(report.coverage, 4),
        "on_good": round(report.right_on_good, 3),
        "on_bad": round(report.right_on_bad, 3),
        "precise": _rounded(report.precision),
        "conflict": _rounded(report.conflict),
        "audited": audit,
        "merged_with": ", ".join(report.merged_with) or None,
    }


def _without_empty(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows without the columns in which none of them has anything."""
    told = {name for row in rows for name, value in row.items() if value is not None}
    return [{name: value for name, value in row.items() if name in told} for row in rows]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _fit_file(votes: Path, truth: Path | None, output: Path | None, method: Method, merge: bool, *, as_json: bool) -> None:
    if output is not None:
        _require_new(output)
    file = read_votes(votes)
    known = None if truth is None else read_truth(truth, file)
    fitted = fit_label_model(file.votes, method=method, merge_correlated=merge)
    if output is not None:
        write_posteriors(output, file, fitted)
    prevalence = {answer: round(float(share), 4) for answer, share in zip(file.answers, fitted.prevalence, strict=False)}
    summary: dict[str, Any] = {
        "items": file.votes.items,
        "annotators": file.votes.annotators,
        "votes": len(file.votes.item),
        "method": method,
        "converged": fitted.converged,
        "merged": _merged(file.annotators, fitted.groups),
        "prevalence": prevalence,
        **_accuracy(fitted, known, len(file.answers)),
    }
    rows = _annotators(file, fitted)
    if as_json:
        print_json({**summary, "annotators_fitted": rows})
        return
    print_fields(summary, as_json=False)
    print()
    print_rows(rows[:_MOST_SHOWN], as_json=False)
    if len(rows) > _MOST_SHOWN:
        print(f"\n{len(rows) - _MOST_SHOWN} more by --json.")


def _require_new(output: Path) -> None:
    """Before the fit, which may take long, and so that nobody's file is lost."""
    if output.exists():
        raise BadInputError(f"--output {output} is there already; name a new file, or remove it first.")
    if not output.absolute().parent.is_dir():
        raise BadInputError(f"--output {output}: there is no folder {output.parent}; make it first.")


def _merged(annotators: Sequence[str], groups: Sequence[Sequence[int]]) -> list[list[str]]:
    return [[annotators[one] for one in group] for group in groups if len(group) > 1]


def _accuracy(fitted: LabelModel, truth: Indexes | None, classes: int) -> dict[str, float | int]:
    """Against what is known; F1 is of the last answer, which is the positive one where there are two."""
    if truth is None:
        return {}
    known = truth != ABSTAIN
    right = float(numpy.mean(fitted.answer[known] == truth[known]))
    return {
        "with_truth": int(known.sum()),
        "accuracy": round(right, 4),
        "f1": round(_f1(fitted.answer[known], truth[known], classes - 1), 4),
    }


def _f1(answer: Indexes, truth: Indexes, positive: int) -> float:
    both = int(((answer == positive) & (truth == positive)).sum())
    return 2.0 * both / max(1, int((answer == positive).sum() + (truth == positive).sum()))


def _annotators(file: VoteFile, fitted: LabelModel) -> list[dict[str, Any]]:
    """Those who voted most first, each with how often it gives the right answer in each class."""
    number = numpy.bincount(file.votes.annotator, minlength=file.votes.annotators)
    group = {one: place for place, members in enumerate(fitted.groups) for one in members}
    rows = []
    for one in numpy.argsort(-number, kind="stable").tolist():
        rights = None if fitted.confusion is None else fitted.confusion[group[one]].diagonal()
        right = {} if rights is None else {f"right_on_{name}": round(float(rights[k]), 4) for k, name in enumerate(file.answers)}
        rows.append({"annotator": file.annotators[one], "votes": int(number[one]), **right})
    return rows
