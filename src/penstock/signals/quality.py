"""How good each signal is, by what people said of the same targets: coverage, precision and recall, conflict and drift.

Nothing is trusted beforehand. Where nobody was asked, it says so, and how many to ask.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import msgspec
import numpy
from msgspec import Struct, field
from numpy.typing import NDArray

from penstock.errors import BadInputError
from penstock.lake.lake import Lake
from penstock.lake.snapshot import literal
from penstock.records.interaction import Exposure
from penstock.signals.audit import Audited, graded_auc, load_audit, measure, share_good, weighed
from penstock.signals.conflict import Conflict, find_conflicts, load_said
from penstock.signals.coverage import Key, coverage_sums, load_counts, said_shares
from penstock.signals.drift import NO_DRIFT, Drift, find_drift
from penstock.signals.readings import GOOD, READINGS, Bound, Reading, reading_of
from penstock.signals.traffic import (
    ALL,
    Period,
    Selected,
    check_segmented_by,
    engine,
    fetch,
    load_targets,
    load_turns,
    load_votes,
    names_of,
)
from penstock.statistics.cluster import ClusterSums
from penstock.statistics.intervals import Interval
from penstock.statistics.weighted_share import WeightedShare, share_of_sums

Bools = NDArray[numpy.bool_]

DRIFT_DAYS = 7.0
ASK = 200  # answers with which a share near .8 is known to within 6 points
_SCOPE, _BEFORE, _NOW = 1, 2, 4
EXAMPLES = 3


class Question(Struct, frozen=True, kw_only=True):
    """What to tell the quality of, and how."""

    period: Period = Period()
    by: str | None = None
    exposures: tuple[str, ...] = (str(Exposure.SERVED),)
    definitions: tuple[str, ...] | None = None
    dimension: str = "good"
    good_from: float = 0.5  # from which value on a person's answer counts as good
    readings: Mapping[str, Reading] = field(default_factory=lambda: READINGS)
    drift_days: float = DRIFT_DAYS  # of either period where no beginning is given


class Share(Struct, frozen=True, kw_only=True):
    """A share and its interval, and the even number of independent cases that would say as much."""

    value: float
    interval: Interval
    effective_number: float


class SignalQuality(Struct, frozen=True, kw_only=True):
    """One signal in one segment, and one thing that it says; figures are None where they were not measured."""

    segment: str
    signal: str
    target_kind: str
    says: str | None  # good or bad; None where nobody has stated how it is to be read
    reading: str | None
    targets: float  # that it could be on; weighted back where traffic was captured in part
    coverage: Share
    says_so: float  # share of all targets
    audited: int  # targets that people answered for, with this signal or without
    said: int  # of these, on which it says so
    precision: Share | None
    recall: Share | None
    base_rate: Share | None  # how often people say what it says: the precision of one that knows nothing
    auc: Share | None
    conflict: Conflict | None
    drift: Drift


class Quality(Struct, frozen=True, kw_only=True):
    """All of it, with what must be known to read it."""

    rows: tuple[SignalQuality, ...]
    period: Period
    before: Period
    now: Period  # which drift compares with `before`
    audited: int
    undecided: int
    learning: int
    homeless: int
    unmeasured: tuple[str, ...]  # a sentence each
    unread: tuple[str, ...]  # signals of which nobody has stated how they are to be read


def signal_quality(lake: Lake, question: Question) -> Quality:
    """The quality of every signal on the traffic in question. BadInputError where it cannot be told apart like that."""
    check_segmented_by(question.by)
    last = _last_start(lake)
    before, now = _periods(question, last)
    scope = Period(since=question.period.since, until=question.period.until)
    widest = Period(since=None if scope.since is None else before.since, until=scope.until)
    selected = Selected(period=widest, exposures=question.exposures, by=question.by, definitions=question.definitions)
    with engine() as connection:
        load_turns(connection, lake, selected)
        load_targets(connection, [scope, before, now])
        load_votes(connection, lake, selected)
        audited = load_audit(connection, lake, question.dimension, question.good_from, _SCOPE)
        return _tell(connection, question, audited, before, now)


def _last_start(lake: Lake) -> datetime:
    found: datetime | None = lake.revisions("interactions").started_at.max().to_pyarrow().as_py()
    return found or datetime(1970, 1, 1, tzinfo=UTC)


def _periods(question: Question, last: datetime) -> tuple[Period, Period]:
    """The periods that drift compares: the one in question and as long a one before, or the last days and as many before."""
    end = question.period.until or last + timedelta(microseconds=1)
    middle = question.period.since or end - timedelta(days=question.drift_days)
    if middle >= end:
        raise BadInputError(f"The period from {middle.isoformat()} to {end.isoformat()} is empty; give an earlier --since.")
    return Period(since=middle - (end - middle), until=middle), Period(since=middle, until=end)


def _tell(connection: duckdb.DuckDBPyConnection, question: Question, audited: Audited, before: Period, now: Period) -> Quality:
    names = names_of(connection)
    load_said(connection, names, question.readings)
    load_counts(connection)
    sums, said = coverage_sums(connection, _SCOPE), said_shares(connection, _SCOPE)
    facts = _Facts(
        names=names,
        readings=question.readings,
        audited=audited,
        sums=sums,
        said=said,
        conflicts=find_conflicts(connection, names, _SCOPE),
        drifts=find_drift(connection, coverage_sums(connection, _BEFORE), coverage_sums(connection, _NOW), (_BEFORE, _NOW)),
    )
    order = sorted(sums, key=lambda key: (key[0] != ALL, key[0], names[key[2]], key[1]))
    rows = [row for key in order for row in _rows(facts, key)]
    return Quality(
        rows=tuple(rows),
        period=question.period,
        before=before,
        now=now,
        audited=len(audited.target),
        undecided=audited.undecided,
        learning=audited.learning,
        homeless=audited.homeless,
        unmeasured=tuple(_unmeasured(connection, rows)),
        unread=tuple(sorted({names[key[2]] for key in sums if reading_of(names[key[2]], question.readings) is None})),
    )


class _Facts(Struct, frozen=True, kw_only=True):
    """What the rows are made of."""

    names: Sequence[str]
    readings: Mapping[str, Reading]
    audited: Audited
    sums: Mapping[Key, ClusterSums]
    said: Mapping[tuple[str, str, int, str], float]
    conflicts: Mapping[tuple[str, str, int, str], Conflict]
    drifts: Mapping[Key, Drift]


def _rows(facts: _Facts, key: Key) -> list[SignalQuality]:
    """One for each thing that a signal says, and one for a signal that says nothing of itself."""
    segment, kind, code = key
    name, sums = facts.names[code], facts.sums[key]
    reading = reading_of(name, facts.readings)
    among = (facts.audited.kind == kind) & ((facts.audited.segment == segment) | (segment == ALL))
    audited = weighed(facts.audited, code, among)
    value = audited.values.get(code, numpy.full(len(among), numpy.nan))
    auc = graded_auc(audited, among, value, reading is None or reading.higher_is_better)
    common: dict[str, Any] = {
        "segment": segment,
        "signal": name,
        "target_kind": kind,
        "targets": sums.count,
        "coverage": _share(share_of_sums(sums)),
        "audited": int(among.sum()),
        "auc": None
        if auc is None
        else Share(value=auc.value, interval=auc.interval, effective_number=float(audited.share[among].sum())),
        "drift": facts.drifts.get(key, NO_DRIFT),
    }
    if reading is None:
        nothing: dict[str, Any] = dict.fromkeys(("says", "reading", "precision", "recall", "base_rate", "conflict"))
        return [SignalQuality(**common, **nothing, says_so=0.0, said=0)]
    return [
        SignalQuality(
            **common,
            says=says,
            reading=str(bound),
            says_so=facts.said.get((*key, says), 0.0) / sums.count,
            conflict=facts.conflicts.get((*key, says)),
            **_against_people(audited, among, _holds(bound, value), says),
        )
        for says, bound in reading.bounds()
    ]


def _against_people(audited: Audited, among: Bools, says_so: Bools, says: str) -> dict[str, Any]:
    found = measure(audited, among, says_so, says)
    rate = share_good(audited, among)
    if says != GOOD and rate.units:
        low, high = 1.0 - rate.interval.high, 1.0 - rate.interval.low
        rate = msgspec.structs.replace(rate, value=1.0 - rate.value, interval=Interval(low=low, high=high))
    return {
        "said": found.said,
        "precision": _share(found.precision) if found.precision.units else None,
        "recall": _share(found.recall) if found.recall.units else None,
        "base_rate": _share(rate) if rate.units else None,
    }


def _holds(bound: Bound, value: NDArray[numpy.float64]) -> Bools:
    return numpy.isfinite(value) & bound.holds(value)


def _share(share: WeightedShare) -> Share:
    return Share(value=share.value, interval=share.interval, effective_number=share.effective_number)


def _unmeasured(connection: duckdb.DuckDBPyConnection, rows: Sequence[SignalQuality]) -> list[str]:
    """What to ask people where nobody was asked, with targets drawn evenly by a hash of their names."""
    found = []
    silent = {(row.segment, row.target_kind) for row in rows if row.says is not None and row.audited == 0}
    for segment, kind in sorted(silent, key=lambda pair: (pair[0] != ALL, pair)):
        where = "true" if segment == ALL else f"segment = {literal(segment)}"
        drawn = fetch(
            connection,
            f"SELECT id FROM targets WHERE slot & {_SCOPE} > 0 AND kind = {literal(kind)} AND {where} "
            f"ORDER BY md5(id) LIMIT {EXAMPLES}",
        )
        names = ", ".join(map(str, drawn.column(0).to_pylist()))
        place = "" if segment == ALL else f" in {segment}"
        found.append(f"{kind}s{place}: not measured: label at least {ASK} drawn at random, for instance {names}")
    return found
