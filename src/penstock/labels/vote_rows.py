"""Signals to votes, in the engine: a row for each interaction with a bit for each function that votes on it.

A signal about a session counts for the session's last interaction. Only patterns of votes, and how many interactions show each,
leave the engine for a fit.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime

import pyarrow as pa
from msgspec import Struct

from penstock.labels.cast_votes import Patterns
from penstock.labels.labelling_functions import LabellingFunction, reads
from penstock.lake.arrow_values import column_values
from penstock.lake.snapshot import instant, literal
from penstock.records.label import AnnotatorKind

SIGNAL_COLUMNS = ("signal_id", "interaction_id", "session_id", "name", "value", "definition", "evidence")
INTERACTION_COLUMNS = (
    "interaction_id", "session_id", "application", "exposure", "model_version", "prompt_version", "segment", "started_at",
    "ended_at",
)  # fmt: skip
# What makes interactions alike to the model.
PATTERN = ("application", "went_on", "is_old", "fired")


class Sources(Struct, frozen=True, kw_only=True):
    """Where the SQL reads from: names of tables, or selections in brackets."""

    signals: str
    interactions: str
    labels: str | None = None  # without it nobody was asked


class Counting(Struct, frozen=True, kw_only=True):
    """Which of it counts."""

    exposures: Collection[str]
    definitions: Collection[str] | None  # of signals, in force; None for all
    old_before: datetime  # silence about what ended later says nothing yet
    first_day: date | None = None  # on which an interaction may have begun


def votes_sql(sources: Sources, functions: Sequence[LabellingFunction], counting: Counting) -> str:
    """A row for each interaction, with what a label takes from it, `fired`, `signal_ids`, and what people say."""
    since = "" if counting.first_day is None else f" AND started_at >= DATE {literal(counting.first_day.isoformat())}"
    return f"""
    WITH judged AS MATERIALIZED (
      SELECT target, bit_or(fired) AS fired, list_sort(list(signal_id)) AS signal_ids FROM (
        SELECT coalesce(interaction_id, session_id) AS target, signal_id, {_fired(functions)} AS fired
        FROM {sources.signals} WHERE {_read(functions)} AND value IS NOT NULL
        {"" if counting.definitions is None else f"AND {_in('definition', counting.definitions)}"}
      ) WHERE fired <> 0 GROUP BY target
    ), turns AS (
      SELECT interaction_id, session_id, coalesce(application, '') AS application, model_version, prompt_version, segment,
        started_at, coalesce(ended_at, started_at) <= {instant(counting.old_before)} AS is_old,
        lead(interaction_id) OVER (
          PARTITION BY coalesce(session_id, interaction_id) ORDER BY started_at, interaction_id
        ) IS NOT NULL AS went_on
      FROM {sources.interactions} WHERE {_in("exposure", counting.exposures)}{since}
    ), people AS ({_people(sources.labels, functions[0].dimension)})
    SELECT turns.*, coalesce(one.fired, 0) | coalesce(whole.fired, 0) AS fired,
      list_sort(list_concat(coalesce(one.signal_ids, []), coalesce(whole.signal_ids, []))) AS signal_ids,
      coalesce(people.truth, -1) AS truth, coalesce(people.drawn, 1.0) AS drawn
    FROM turns LEFT JOIN judged AS one ON one.target = turns.interaction_id
      LEFT JOIN judged AS whole ON whole.target = turns.session_id AND NOT turns.went_on
      LEFT JOIN people ON people.interaction_id = turns.interaction_id
    """


def patterns_sql(votes: str) -> str:
    """How many interactions show each pattern, from a table of votes."""
    return f"SELECT {', '.join(PATTERN)}, truth, drawn, count(*) AS times FROM {votes} GROUP BY ALL ORDER BY ALL"


def patterns_of(rows: pa.Table) -> Patterns:
    """The rows of `patterns_sql` as columns."""
    columns = {name: rows.column(name).to_numpy() for name in rows.column_names if name != "application"}
    return Patterns(
        application=column_values(rows.column("application")),
        went_on=columns["went_on"].astype(bool),
        is_old=columns["is_old"].astype(bool),
        fired=columns["fired"].astype("int64"),
        truth=columns["truth"].astype("int64"),
        drawn=columns["drawn"].astype(float),
        times=columns["times"].astype(float),
    )


def _fired(functions: Sequence[LabellingFunction]) -> str:
    """A bit for each function that votes on a signal."""
    by_signal: dict[tuple[str, str | None], list[str]] = {}
    for place, function in enumerate(functions):
        bit = f"(CASE WHEN {_condition(function)} THEN {1 << place} ELSE 0 END)"
        by_signal.setdefault(reads(function), []).append(bit)
    alone = [f"WHEN {literal(name)} THEN {' | '.join(bits)}" for (name, family), bits in by_signal.items() if family is None]
    families = [
        f"(CASE WHEN {_family(name, family)} THEN {' | '.join(bits)} ELSE 0 END)"
        for (name, family), bits in by_signal.items()
        if family is not None
    ]
    cases = [f"(CASE name {' '.join(alone)} ELSE 0 END)"] if alone else []
    return f"CAST({' | '.join([*cases, *families])} AS BIGINT)"


def _read(functions: Sequence[LabellingFunction]) -> str:
    """Whether any function reads a signal."""
    read = {reads(function) for function in functions}
    families = [_family(name, family) for name, family in sorted(read, key=str) if family is not None]
    return f"({' OR '.join([_in('name', {name for name, _ in read}), *families])})"


def _family(name: str, family: str) -> str:
    return f"(name = {literal(name)} OR starts_with(name, {literal(family)}))"


def _condition(function: LabellingFunction) -> str:
    conditions = [f"evidence[{literal(key)}] = {literal(said)}" for key, said in sorted(function.evidence.items())]
    conditions += [f"value >= {function.at_least!r}"] if function.at_least is not None else []
    conditions += [f"value <= {function.at_most!r}"] if function.at_most is not None else []
    return " AND ".join(conditions)


def _people(labels: str | None, dimension: str) -> str:
    """What people say of each interaction, where most of them say the same."""
    if labels is None:
        return "SELECT NULL::VARCHAR AS interaction_id, NULL::INTEGER AS truth, NULL::DOUBLE AS drawn WHERE false"
    return f"""
      SELECT interaction_id, CASE WHEN avg(value) > 0.5 THEN 1 WHEN avg(value) < 0.5 THEN 0 END AS truth,
        min(inclusion_probability) AS drawn
      FROM {labels} AS said WHERE annotator_kind = {literal(AnnotatorKind.PERSON.value)} AND dimension = {literal(dimension)}
        AND value IS NOT NULL AND interaction_id IS NOT NULL
        AND NOT EXISTS (FROM {labels} AS later WHERE later.supersedes = said.label_id)
      GROUP BY interaction_id
    """


def _in(column: str, values: Collection[str]) -> str:
    listed = ", ".join(literal(value) for value in sorted(values))
    return f"{column} IN ({listed})" if listed else "false"
