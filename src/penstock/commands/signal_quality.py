"""`penstock signals quality`: how good each signal is, against what people said."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, print_rows, to_plain
from penstock.commands.signal_readings import readings_in_force
from penstock.errors import BadInputError
from penstock.labels.schema import AUDIT, RESPONSE_QUALITY, dimension_named
from penstock.records.interaction import Exposure
from penstock.signals.definitions import in_force
from penstock.signals.feedback_due import JUDGED
from penstock.signals.quality import DRIFT_DAYS, Quality, Question, Share, SignalQuality, signal_quality
from penstock.signals.readings import JUDGED_NAME
from penstock.signals.traffic import SEGMENTED_BY, Period

By = Annotated[str | None, typer.Option("--by", help=f"Tell traffic apart by one of {', '.join(SEGMENTED_BY)}.")]
Since = Annotated[str | None, typer.Option("--since", help="Only traffic that started at or after this day or time, in UTC.")]
Until = Annotated[str | None, typer.Option("--until", help="Only traffic that started before this day or time, in UTC.")]
ExposureNames = Annotated[
    list[str] | None, typer.Option("--exposure", help="Whose traffic; default: served, the users'. May be repeated.")
]


def add_to(signals: typer.Typer) -> None:
    """Add these commands to the group."""
    signals.command("quality")(quality)


def quality(
    by: By = None,
    since: Since = None,
    until: Until = None,
    dimension: Annotated[str, typer.Option("--dimension", help="Which question people answered.")] = "good",
    good_from: Annotated[float, typer.Option("--good-from", help="From which value on their answer counts as good.")] = 0.5,
    reading: Annotated[
        list[str] | None,
        typer.Option("--reading", metavar="NAME:good>=X,bad<Y", help="How a signal is to be read; may be repeated."),
    ] = None,
    drift_days: Annotated[
        float,
        typer.Option("--drift-days", min=0.01, help="Without --since, drift compares the last so many days with those before."),
    ] = DRIFT_DAYS,
    exposure: ExposureNames = None,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Print how good each signal is: coverage, precision and recall against people, conflict, and drift.

    Intervals hold 95 % of the time, with users as the unit. What people say comes by `penstock labels import`.
    """
    _require_finite({"--good-from": good_from, "--drift-days": drift_days})
    penstock = Penstock(options.load(home).settings)
    dimension_named([*penstock.registry.schemas.list(), AUDIT, RESPONSE_QUALITY], dimension)
    question = Question(
        period=Period(since=parse_time(since, "--since"), until=parse_time(until, "--until")),
        by=by,
        exposures=parse_exposures(exposure),
        definitions=(*in_force(penstock.settings.signals, penstock.home), JUDGED),
        apart={JUDGED: JUDGED_NAME},
        dimension=dimension,
        good_from=good_from,
        readings=readings_in_force(penstock, reading or []),
        drift_days=drift_days,
    )
    found = signal_quality(penstock.lake, question)
    if json:
        print_fields(to_plain(found), as_json=True)
        return
    print_rows([_shown(row, by) for row in found.rows], as_json=False, empty="There is no signal on this traffic.")
    for sentence in _sentences(found, question):
        print(sentence)


def _require_finite(numbers: Mapping[str, float]) -> None:
    for option, number in numbers.items():
        if not math.isfinite(number):
            raise BadInputError(f"{option} {number} is no number to compare with; give a finite one.")


def parse_time(text: str | None, option: str) -> datetime | None:
    """A day or a time, in UTC where it has no zone. Raises BadInputError."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInputError(f"{option} {text!r} is no time; write 2026-03-01 or 2026-03-01T12:00:00+00:00.") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def parse_exposures(names: Sequence[str] | None) -> tuple[str, ...]:
    """Whose traffic; the users' where nothing is said. Raises BadInputError."""
    chosen = tuple(names or (str(Exposure.SERVED),))
    unknown = [name for name in chosen if name not in list(Exposure)]
    if unknown:
        raise BadInputError(f"--exposure {unknown[0]}: there is {', '.join(Exposure)}.")
    return chosen


def show_share(share: Share | None) -> str:
    """A share with its interval."""
    return "–" if share is None else f"{share.value:.2f} [{share.interval.low:.2f}, {share.interval.high:.2f}]"


def _shown(row: SignalQuality, by: str | None) -> Mapping[str, Any]:
    where = {} if by is None else {by: row.segment}
    name = row.signal if row.target_kind == "interaction" else f"{row.signal} ({row.target_kind})"
    conflict = row.conflict
    fought = "" if conflict is None or conflict.most_with is None else f" ({conflict.most_with})"
    return {
        **where,
        "signal": name,
        "says": f"{row.says} {row.reading}" if row.says else "not stated",
        "coverage": f"{row.coverage.value:.2%}",
        "says so": f"{row.says_so:.2%}" if row.says else "–",
        "precision": show_share(row.precision),
        "recall": show_share(row.recall),
        "by chance": "–" if row.base_rate is None else f"{row.base_rate.value:.2f}",
        "audited": row.said if row.says else row.audited,
        "AUC": show_share(row.auc),
        "conflict": "–" if conflict is None or not conflict.together else f"{conflict.share:.2f}{fought}",
        "drift": row.drift.word,
    }


def _sentences(found: Quality, question: Question) -> Iterator[str]:
    """What must be known to read the table."""
    if not found.rows:
        return
    yield ""
    yield (
        f"{found.audited} targets audited for {question.dimension!r}; undecided {found.undecided}; answers left aside: "
        f"{found.learning} chosen to learn from, {found.homeless} about other traffic."
    )
    yield f"Drift: {_span(found.now)} against {_span(found.before)}."
    if found.unread:
        yield (
            f"Nobody has stated how to read {', '.join(found.unread)}; say it with --reading, for instance "
            f"'{found.unread[0]}:good>=1,bad<1'. AUC is by rising value."
        )
    yield from found.unmeasured


def _span(period: Period) -> str:
    return " to ".join("…" if end is None else end.strftime("%Y-%m-%d %H:%M") for end in (period.since, period.until))
