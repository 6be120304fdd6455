"""Who is missing: every rate as it is among who was heard, corrected for who that is, and as bad or as good as it could be.

Who rates, reports and stays selected themselves. Weighting and the doubly robust estimate are right if selection depends on what
is seen of everybody; the bounds always are.
"""

from collections.abc import Iterator, Mapping, Sequence

import duckdb
import numpy
from msgspec import Struct, field
from numpy.typing import NDArray

from penstock.errors import BadInputError
from penstock.lake.lake import Lake
from penstock.records.feedback import OUTCOME_PREFIX
from penstock.records.interaction import Exposure
from penstock.signals.captive import Captive, find_captive
from penstock.signals.covariates import COLUMNS, Cases, load_cases, session_values_of, sessions_of, values_of
from penstock.signals.leavers import find_leavers
from penstock.signals.rates import RATING, RETRY, STAYS, Rate, find_rate, happened_in
from penstock.signals.readings import READINGS, Reading
from penstock.signals.traffic import (
    Period,
    Selected,
    check_segmented_by,
    engine,
    fetch,
    load_targets,
    load_turns,
    load_votes,
    names_of,
    shared_codes,
)
from penstock.statistics.intervals import Interval
from penstock.statistics.rate_ratio import RateRatio, rate_ratio
from penstock.statistics.selection import SelectedCases, SelectionRate, rate_under_selection, raw_rate, selected_cases, worst_case
from penstock.statistics.weighted_quantile import weighted_quantile

Floats = NDArray[numpy.float64]
Bools = NDArray[numpy.bool_]
MOST_LEARNED = 40_000
_LEAST_HEARD = 20  # outcomes, and as many cases without, for models to learn from
_ROUNDING = 1e-9
_MATURE = 0.9  # of the outcomes that come have come by the age from which one that has not counts as not coming


class MissingQuestion(Struct, frozen=True, kw_only=True):
    """Of which traffic to tell who is missing."""

    period: Period = Period()
    by: str = "segment"  # the segments that may be captive
    exposures: tuple[str, ...] = (str(Exposure.SERVED),)
    definitions: tuple[str, ...] | None = None
    readings: Mapping[str, Reading] = field(default_factory=lambda: READINGS)
    most_learned: int = MOST_LEARNED


class Figure(Struct, frozen=True, kw_only=True):
    """An estimate and its 95 % interval."""

    value: float
    interval: Interval


class Answer(Struct, frozen=True, kw_only=True):
    """One rate, answered in every way that the data allow; None where they do not."""

    rate: str
    unit: str  # interaction, session or user
    heard: str  # what those with an outcome differ by
    cases: int
    heard_share: float
    raw: Figure
    weighted: Figure | None
    doubly_robust: Figure | None
    bounds: Interval
    bounds_interval: Interval
    effective_sample_size: float | None
    largest_weight: float | None  # the mean of those heard being 1
    clipped: int
    outside: float  # share of the traffic whose applications never report it: nothing here is about them
    note: str


class Raters(Struct, frozen=True, kw_only=True):
    """How those who rate differ."""

    share_of_sessions: Figure
    retry: RateRatio | None  # of sessions with a rating, against the others


class Missing(Struct, frozen=True, kw_only=True):
    """All of it."""

    interactions: int
    users: int
    answers: tuple[Answer, ...]
    raters: Raters | None
    captive: tuple[Captive, ...]


class Heard(Struct, frozen=True, kw_only=True):
    """What is known: of interactions and of sessions, signals by name."""

    cases: Cases
    values: Mapping[str, Floats]
    sessions: Cases
    session_values: Mapping[str, Floats]
    mature_s: Mapping[str, float]  # by outcome, the age by which nine of ten have come
    shares: Mapping[str, Floats]  # of outcomes that several share anywhere, by interaction
    session_shares: Mapping[str, Floats]


def who_is_missing(lake: Lake, question: MissingQuestion) -> Missing:
    """Every rate of the traffic in question. BadInputError where it cannot be told apart like that."""
    check_segmented_by(question.by)
    selected = Selected(period=question.period, exposures=question.exposures, by=question.by, definitions=question.definitions)
    with engine() as connection:
        load_turns(connection, lake, selected, COLUMNS)
        load_targets(connection, [question.period])
        load_votes(connection, lake, selected)
        cases = load_cases(connection)
        if cases.number == 0:
            return Missing(interactions=0, users=0, answers=(), raters=None, captive=())
        names, shared = names_of(connection), shared_codes(connection)
        sessions = sessions_of(cases)
        heard = Heard(
            cases=cases,
            values={name: values_of(connection, code, cases.number) for code, name in enumerate(names)},
            sessions=sessions,
            session_values={name: session_values_of(connection, code, sessions) for code, name in enumerate(names)},
            mature_s=_mature_ages(connection),
            shares={names[code]: values_of(connection, code, cases.number, "share") for code in shared},
            session_shares={names[code]: session_values_of(connection, code, sessions, "share") for code in shared},
        )
    return _tell(heard, question)


def _mature_ages(connection: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """By outcome the age, in seconds, by which nine of ten of those that come have come."""
    found = {}
    for code, name in enumerate(names_of(connection)):
        if name.startswith(OUTCOME_PREFIX):
            delays = fetch(
                connection,
                "SELECT greatest(epoch(said_at) - epoch(started_at), 0) AS delay, share FROM votes JOIN targets USING (n) "
                f"WHERE n > 0 AND code = {code}",
            )
            if delays.num_rows:
                delay, share = (delays.column(column).to_numpy() for column in ("delay", "share"))
                found[name] = weighted_quantile(delay, share, _MATURE)
    return found


def _tell(heard: Heard, question: MissingQuestion) -> Missing:
    cases, retry = heard.cases, heard.values.get(RETRY)
    retried = numpy.zeros(cases.number) if retry is None else happened_in(RETRY, retry, question.readings).astype(float)
    rates = _rates(heard.values, heard.shares, cases, question)
    answers = list(_session_answers(heard))
    answers += [_answer(cases, rate, retried, question.most_learned) for rate in rates]
    answers += [
        _answer(heard.sessions, rate, numpy.zeros(heard.sessions.number), question.most_learned, unit="session")
        for rate in _rates(heard.session_values, heard.session_shares, heard.sessions, question)
        if rate.signal != RATING
    ]
    coming = (_coming(cases, rate, heard.mature_s[rate.signal]) for rate in rates if rate.signal in heard.mature_s)
    answers += [_answer(cases, rate, retried, question.most_learned) for rate in coming if rate is not None]
    later = (_stayed(cases, rate, question.most_learned) for rate in rates if rate.is_share)
    answers += [answer for answer in later if answer is not None]
    rating = next((rate for rate in rates if rate.signal == RATING), None)
    behaviour = [rate for rate in rates if rate.signal != RATING and not rate.signal.startswith(OUTCOME_PREFIX)]
    return Missing(
        interactions=cases.number,
        users=int(cases.user.max()) + 1,
        answers=tuple(answers),
        raters=_raters(heard, rates),
        captive=tuple(find_captive(cases, behaviour, rating)) if len(cases.segments) > 1 else (),
    )


def _rates(values: Mapping[str, Floats], shares: Mapping[str, Floats], cases: Cases, question: MissingQuestion) -> list[Rate]:
    found = (find_rate(name, value, cases, question.readings, shares.get(name)) for name, value in values.items())
    return sorted((rate for rate in found if rate is not None), key=lambda rate: (rate.signal != RATING, rate.name))


def _answer(cases: Cases, rate: Rate, retried: Floats, most_learned: int, unit: str = "interaction") -> Answer:
    """A rate over interactions; whether a turn was retried helps to tell who is heard, unless that is what is asked."""
    matrix = cases.matrix
    if rate.heard != STAYS and retried.min() < retried.max():
        matrix = numpy.column_stack((matrix, retried))
    among = rate.among
    selected = selected_cases(
        numpy.where(among, rate.outcome, numpy.nan)[among], cases.user[among], lowest=rate.lowest, highest=rate.highest,
        weights=cases.weight[among], shares=rate.share[among],
    )  # fmt: skip
    notes = [rate.note, f"{rate.pending} may still go on" if rate.pending else ""]
    return _told(rate.name, unit, rate.heard, selected, matrix[among], most_learned, rate.outside, notes)


def _told(
    name: str,
    unit: str,
    heard: str,
    selected: SelectedCases,
    features: Floats,
    most_learned: int,
    outside: float,
    notes: Sequence[str],
) -> Answer:
    """Everything that the data allow: where all are heard, or too few, nothing is modelled."""
    known = numpy.isfinite(selected.outcome)
    outcomes, others = (float(selected.share[where].sum()) for where in (known, ~known))
    said = [note for note in notes if note]
    report = None
    if known.all():
        said.append("all are heard")
    elif round(min(outcomes, others), 6) < _LEAST_HEARD:
        said.append(f"too few to model: {outcomes:.0f} of {outcomes + others:.0f} heard")
    else:
        try:
            report = rate_under_selection(selected, features, most_learned=most_learned)
        except BadInputError:
            said.append("too few users to model")
    if bool((selected.share < 1.0).any()):
        said.append("an outcome that several share counts once")
    raw, worst = raw_rate(selected), worst_case(selected)
    return Answer(
        rate=name,
        unit=unit,
        heard=heard,
        cases=len(known),
        heard_share=float(selected.weight[known].sum() / selected.weight.sum()),
        raw=_figure(raw, selected),
        weighted=None if report is None else _figure(report.weighted, selected),
        doubly_robust=None if report is None else _figure(report.doubly_robust, selected),
        bounds=_possible(worst.bounds, selected),
        bounds_interval=_possible(worst.interval, selected),
        effective_sample_size=None if report is None else report.effective_sample_size,
        largest_weight=None if report is None else report.largest_weight,
        clipped=0 if report is None else report.clipped,
        outside=outside,
        note="; ".join(said),
    )


def _figure(rate: SelectionRate, selected: SelectedCases) -> Figure:
    return Figure(value=_possible_value(rate.estimate.value, selected), interval=_possible(rate.interval, selected))


def _possible(interval: Interval, selected: SelectedCases) -> Interval:
    return Interval(low=_possible_value(interval.low, selected), high=_possible_value(interval.high, selected))


def _possible_value(value: float, selected: SelectedCases) -> float:
    """Between the lowest and the highest that an outcome can be, and an end or 0 where only rounding keeps it from that.

    The doubly robust estimate adds a correction to what is predicted, so it may leave the scale by a little.
    """
    within = min(max(value, selected.lowest), selected.highest)
    marks = (mark for mark in (0.0, selected.lowest, selected.highest) if abs(within - mark) < _ROUNDING)
    return next(marks, within)


def _coming(cases: Cases, rate: Rate, age_s: float) -> Rate | None:
    """How often an outcome comes at all, of cases old enough to tell; None where none is.

    Those too young are not heard, those among them whose outcome has come included: or all of them would seem to have one.
    """
    old = cases.started_s <= cases.started_s.max() - age_s
    if not (old & rate.among).any():
        return None
    return Rate(
        name=f"{rate.signal} comes",
        signal=rate.signal,
        heard="who is old enough",
        outcome=numpy.where(old, numpy.isfinite(rate.outcome).astype(float), numpy.nan),
        among=rate.among,
        share=rate.share,
        lowest=0.0,
        highest=1.0,
        higher_is_better=None,
        is_share=True,
        outside=rate.outside,
        pending=0,
        note=f"of those older than {age_s / 3600.0:.3g} h, by when nine of ten have come",
    )


def _stayed(cases: Cases, rate: Rate, most_learned: int) -> Answer | None:
    """The rate of the later half, had nobody left after the earlier one."""
    leavers = find_leavers(cases, numpy.where(rate.among, rate.outcome, numpy.nan), rate.share)
    if leavers is None:
        return None
    selected = selected_cases(leavers.outcome, weights=leavers.weight)
    note = "users of the earlier half, over their turns in the later half"
    return _told(f"{rate.name}, later", "user", "who comes back", selected, leavers.features, most_learned, rate.outside, [note])


def _session_answers(heard: Heard) -> Iterator[Answer]:
    """The share of sessions rated, which is known of all."""
    rated, sessions = _rated(heard), heard.sessions
    if rated is not None:
        selected = selected_cases(rated.astype(float), sessions.user, weights=sessions.weight)
        yield _told("sessions rated", "session", "everybody", selected, numpy.zeros((len(rated), 0)), 0, 0.0, [])


def _rated(heard: Heard) -> Bools | None:
    """By session whether it, or a turn of it, was rated; None where nothing is."""
    if RATING not in heard.values:
        return None
    of_turns = heard.cases.session[numpy.isfinite(heard.values[RATING])]
    rated: Bools = numpy.isfinite(heard.session_values[RATING])
    rated[of_turns] = True
    return rated if rated.any() else None


def _raters(heard: Heard, rates: Sequence[Rate]) -> Raters | None:
    rated, cases, sessions = _rated(heard), heard.cases, heard.sessions
    if rated is None:
        return None
    selected = selected_cases(rated.astype(float), sessions.user, weights=sessions.weight)
    retry = next((rate for rate in rates if rate.signal == RETRY), None)
    compared = None
    if retry is not None and not rated.all():
        known, users = numpy.isfinite(retry.outcome) & retry.among, int(cases.user.max()) + 1
        amounts = (numpy.nan_to_num(retry.outcome) * cases.weight, cases.weight)
        of_rated = rated[cases.session]
        compared = rate_ratio(
            *(
                numpy.bincount(cases.user[known & where], amount[known & where], users)
                for where in (of_rated, ~of_rated)
                for amount in amounts
            )
        )
    return Raters(share_of_sessions=_figure(raw_rate(selected), selected), retry=compared)
