"""What signals say held against what people said of the same targets: precision, recall, and AUC where values are graded.

Targets count inversely to the probability with which they were drawn for being asked, times their share of an outcome that
several share, and the user is the unit. Only answers
that were drawn for estimation count; those chosen to learn from would bias every figure.
"""

from collections.abc import Sequence

import duckdb
import msgspec
import numpy
from ibis import _
from msgspec import Struct
from numpy.typing import NDArray

from penstock.lake.lake import Lake
from penstock.records.label import LEAST_INCLUSION_PROBABILITY, AnnotatorKind
from penstock.signals.readings import GOOD
from penstock.signals.traffic import fetch, load, shared_codes, shares_by_case
from penstock.statistics.weighted_auc import Auc, weighted_auc
from penstock.statistics.weighted_share import WeightedShare, weighted_share

Floats = NDArray[numpy.float64]
Numbers = NDArray[numpy.int64]
ESTIMATION = "estimation"
_GRADED = 3  # so many different values at least
_AUDITED = """
CREATE OR REPLACE TABLE audited AS
SELECT n, kind, segment, who, avg(good) AS good, any_value(weight) / max(probability) AS weight
FROM answers JOIN targets USING (kind, id) WHERE stream = '{stream}' AND slot & {slot} > 0 GROUP BY n, kind, segment, who
"""
_LEFT_ASIDE = """
SELECT count(*) FILTER (stream <> '{stream}') AS learning, count(*) FILTER (stream = '{stream}' AND n IS NULL) AS homeless
FROM answers LEFT JOIN (SELECT n, kind, id FROM targets WHERE slot & {slot} > 0) USING (kind, id)
"""


class Audited(Struct, frozen=True, kw_only=True):
    """Audited targets as columns of one length, and the values that signals have there."""

    target: Numbers
    kind: NDArray[numpy.str_]
    segment: NDArray[numpy.str_]
    is_good: NDArray[numpy.bool_]
    weight: Floats
    user: NDArray[numpy.uint64]
    values: dict[int, Floats]  # signal code -> by target, NaN where it says nothing
    shares: dict[int, Floats]  # the same of what it has of an outcome, of those that several share anywhere
    share: Floats  # of the outcome in question; see `weighed`
    undecided: int  # targets of which as many people said good as bad
    learning: int  # answers left aside because they were chosen to learn from
    homeless: int  # answers about what is not among this traffic


class Measured(Struct, frozen=True, kw_only=True):
    """What a signal says, against people."""

    said: int  # audited targets of which it says so
    precision: WeightedShare
    recall: WeightedShare


def load_audit(connection: duckdb.DuckDBPyConnection, lake: Lake, dimension: str, good_from: float, scope_bit: int) -> Audited:
    """People's answers about the targets of a slot; of several about one target the majority counts."""
    labels = lake.current("labels")
    labels = labels.filter(labels.annotator_kind == AnnotatorKind.PERSON.value, labels.dimension == dimension)
    superseded = labels.filter(labels.supersedes.notnull()).select(label_id=_.supersedes)
    labels = labels.anti_join(superseded, "label_id")
    labels = labels.filter(labels.value.notnull(), labels.target_part.isnull(), labels.other_interaction_id.isnull())
    load(
        connection, "answers", labels.select("target_kind", "target_id", "value", "inclusion_probability", "stream"),
        f"target_kind AS kind, target_id AS id, CASE WHEN value >= {good_from!r} THEN 1.0 ELSE 0.0 END AS good, "
        f"greatest(least(inclusion_probability, 1.0), {LEAST_INCLUSION_PROBABILITY}) AS probability, stream",
    )  # fmt: skip
    connection.execute(_AUDITED.format(stream=ESTIMATION, slot=scope_bit))
    targets = fetch(connection, "SELECT * FROM audited WHERE good <> 0.5 ORDER BY n")
    counted = fetch(connection, _LEFT_ASIDE.format(stream=ESTIMATION, slot=scope_bit)).to_pylist()[0]
    undecided = int(fetch(connection, "SELECT count(*) FROM audited WHERE good = 0.5").column(0)[0].as_py())
    column = {name: targets.column(name).to_numpy() for name in targets.schema.names}
    return Audited(
        target=column["n"],
        kind=column["kind"].astype(str),
        segment=column["segment"].astype(str),
        is_good=column["good"] > 0.5,
        weight=column["weight"],
        user=column["who"],
        values=_values(connection, column["n"]),
        shares=_values(connection, column["n"], "share", shared_codes(connection)),
        share=numpy.ones(targets.num_rows),
        undecided=undecided,
        learning=int(counted["learning"]),
        homeless=int(counted["homeless"]),
    )


def weighed(audited: Audited, code: int, among: NDArray[numpy.bool_]) -> Audited:
    """The same for one signal: where several targets share an outcome, each counts by its share."""
    shares = audited.shares.get(code)
    if shares is None:
        return audited
    share = shares_by_case(numpy.where(among, shares, numpy.nan), audited.weight)
    return msgspec.structs.replace(audited, share=share, weight=audited.weight * share)


def _values(
    connection: duckdb.DuckDBPyConnection, targets: Numbers, what: str = "value", codes: Sequence[int] | None = None
) -> dict[int, Floats]:
    only = "" if codes is None else f" WHERE code IN ({', '.join(map(str, [-1, *codes]))})"
    said = fetch(connection, f"SELECT code, n, {what} AS value FROM votes SEMI JOIN audited USING (n){only}")
    code, number, value = (said.column(name).to_numpy() for name in ("code", "n", "value"))
    place = numpy.searchsorted(targets, number)
    known = numpy.isin(number, targets)
    found: dict[int, Floats] = {}
    for one in numpy.unique(code):
        mine = known & (code == one)
        found[int(one)] = numpy.full(len(targets), numpy.nan)
        found[int(one)][place[mine]] = value[mine]
    return found


def measure(audited: Audited, among: NDArray[numpy.bool_], says_so: NDArray[numpy.bool_], says: str) -> Measured:
    """Precision and recall of saying so, over the audited targets `among` which the signal could say it."""
    right = audited.is_good if says == GOOD else ~audited.is_good
    said, wanted = among & says_so, among & right
    return Measured(
        said=int(said.sum()),
        precision=weighted_share(right[said], audited.weight[said], audited.user[said]),
        recall=weighted_share(says_so[wanted], audited.weight[wanted], audited.user[wanted]),
    )


def graded_auc(audited: Audited, among: NDArray[numpy.bool_], value: Floats, higher_is_better: bool) -> Auc | None:
    """How well the value tells good from bad where there is one; None where it has hardly any grades or people said one thing."""
    known = among & numpy.isfinite(value)
    if len(numpy.unique(value[known])) < _GRADED or audited.is_good[known].all() or not audited.is_good[known].any():
        return None
    signed = value[known] if higher_is_better else -value[known]
    return weighted_auc(signed, audited.is_good[known], audited.weight[known], audited.user[known])


def share_good(audited: Audited, among: NDArray[numpy.bool_]) -> WeightedShare:
    """How often people say good: what a signal that knew nothing would have as its precision."""
    return weighted_share(audited.is_good[among], audited.weight[among], audited.user[among])
