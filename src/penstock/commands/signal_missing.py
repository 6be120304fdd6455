"""`penstock signals missing`: who is not heard, and what rates would be if they were."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, print_rows, to_plain
from penstock.commands.signal_quality import ExposureNames, Since, Until, parse_exposures, parse_time
from penstock.commands.signal_readings import readings_in_force
from penstock.signals.captive import Captive
from penstock.signals.definitions import in_force
from penstock.signals.missing import Answer, Figure, Missing, MissingQuestion, Raters, who_is_missing
from penstock.signals.traffic import SEGMENTED_BY, Period

_FEW = 30.0  # effective cases below which a corrected figure says little


def add_to(signals: typer.Typer) -> None:
    """Add these commands to the group."""
    signals.command("missing")(missing)


def missing(
    by: Annotated[
        str, typer.Option("--by", help=f"Segments that may be captive, by one of {', '.join(SEGMENTED_BY)}.")
    ] = "segment",
    since: Since = None,
    until: Until = None,
    reading: Annotated[
        list[str] | None,
        typer.Option("--reading", metavar="NAME:good>=X,bad<Y", help="How a signal is to be read; may be repeated."),
    ] = None,
    exposure: ExposureNames = None,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Print every rate raw, weighted, doubly robust and at worst and best, and who is not heard.

    Intervals hold 95 % of the time, with users as the unit. Only the bounds hold where the unhappy leave because they are.
    """
    penstock = Penstock(options.load(home).settings)
    question = MissingQuestion(
        period=Period(since=parse_time(since, "--since"), until=parse_time(until, "--until")),
        by=by,
        exposures=parse_exposures(exposure),
        definitions=tuple(in_force(penstock.settings.signals, penstock.home)),
        readings=readings_in_force(penstock, reading or []),
    )
    found = who_is_missing(penstock.lake, question)
    sentences = list(describe(found))
    if json:
        print_fields({**to_plain(found), "sentences": sentences}, as_json=True)
        return
    print_rows([_shown(answer) for answer in found.answers], as_json=False, empty="There is no signal on this traffic.")
    if found.answers:
        print()
    for sentence in sentences:
        print(sentence)


def _shown(answer: Answer) -> Mapping[str, Any]:
    return {
        "rate": answer.rate,
        "of": f"{answer.unit}s",
        "heard": f"{answer.heard_share:.2%}",
        "differ by": answer.heard,
        "raw": _figure(answer.raw),
        "weighted": _figure(answer.weighted),
        "doubly robust": _figure(answer.doubly_robust),
        "worst to best": f"{answer.bounds.low:.3g} to {answer.bounds.high:.3g}",
        "effective n": "–" if answer.effective_sample_size is None else f"{answer.effective_sample_size:,.0f}",
        "max weight": "–" if answer.largest_weight is None else f"{answer.largest_weight:.1f}",
        "note": answer.note,
    }


def _figure(figure: Figure | None) -> str:
    return "–" if figure is None else f"{figure.value:.3g} [{figure.interval.low:.3g}, {figure.interval.high:.3g}]"


def describe(found: Missing) -> Iterator[str]:
    """The same in plain sentences."""
    if found.raters is not None:
        yield describe_raters(found.raters)
    elif found.interactions:
        yield "Nobody rates: of explicit ratings nothing is known, of anybody."
    for captive in found.captive:
        yield describe_captive(captive)
    for answer in found.answers:
        if answer.outside > 0.0:
            yield f"{answer.rate}: {answer.outside:.1%} of the traffic is of applications that never report it, and left out."
        if answer.effective_sample_size is not None and answer.effective_sample_size < _FEW:
            yield f"{answer.rate}: corrected figures rest on {answer.effective_sample_size:.0f} effective cases; mind the bounds."
    if any(answer.weighted is not None for answer in found.answers):
        yield (
            "Weighted and doubly robust figures suppose that who is heard depends only on what is seen of everybody: segment, "
            "application, model, hour, turn, tokens, length, errors and retries. Where the unhappy leave, or stay silent, "
            "because they are unhappy, no figure but the bounds is identified."
        )


def describe_raters(raters: Raters) -> str:
    """Such as: 0.7 % of sessions rate; raters retry 2.1 times as often [1.8, 2.5] as the others."""
    share = raters.share_of_sessions.value
    said = f"{share * 100.0:.2g} % of sessions rate" if share < 0.1 else f"{share * 100.0:.0f} % of sessions rate"
    retry = raters.retry
    if retry is None or math.isnan(retry.value):
        return f"{said}; whether raters retry more often than the others cannot be said."
    low, high = retry.interval.low, retry.interval.high
    if low <= 1.0 <= high:
        return f"{said}; raters retry about as often as the others: {retry.value:.2g} times [{low:.2g}, {high:.2g}]."
    return f"{said}; raters retry {retry.value:.2g} times as often [{low:.2g}, {high:.2g}] as the others."


def describe_captive(captive: Captive) -> str:
    """What a captive segment does and does not say."""
    rated = (
        "hardly anybody rates"
        if math.isnan(captive.rating)
        else f"ratings are {captive.rating:.2g} (elsewhere {captive.rating_elsewhere:.2g})"
    )
    return (
        f"{captive.segment} may be captive: {rated}, but its {captive.behaviour} is {captive.rate:.3g} "
        f"(elsewhere {captive.rate_elsewhere:.3g}, p {captive.p_value:.2g})."
    )
