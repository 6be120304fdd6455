"""Labels of a label model: the probability of each interaction with a vote, written where it differs from what stands."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from penstock.labels.cast_votes import cast_votes
from penstock.labels.label_model import ModelParameters, probabilities
from penstock.labels.labelling_functions import LabellingFunction, voters_of
from penstock.labels.schema import GOOD
from penstock.labels.vote_rows import PATTERN, patterns_of, patterns_sql
from penstock.lake.arrow_values import column_values
from penstock.lake.in_memory import open_database
from penstock.lake.snapshot import literal
from penstock.records.ids import label_id
from penstock.records.label import AnnotatorKind, Dimension, DimensionType, LabelSchema
from penstock.registry.registry import Registry

ANNOTATOR = "label-model@1"
LEAST_CHANGE = 0.02  # of the probability; a smaller one is no new label
DIGITS = 2
_WITHDRAWN = "the evidence was withdrawn"
_QUESTION = "How probable is it that this response served its user, by what the user did and what came of it? 0 to 1."
_COPIED = ("interaction_id", "model_version", "prompt_version", "segment", "started_at")
_COLUMNS = (*_COPIED, "value", "value_json", "rationale", "signal_ids", "supersedes")


class LabelledBy(Struct, frozen=True, kw_only=True):
    """What gives the labels."""

    label_model_id: str
    functions: Sequence[LabellingFunction]
    parameters: ModelParameters


def schema_of(dimension: str) -> LabelSchema:
    """The schema of a dimension: the one that ships, or one for each that users declare."""
    ships = dimension == GOOD
    question = (
        _QUESTION if ships else f"How probable is it that this response is {dimension}, by its labelling functions? 0 to 1."
    )
    asked = Dimension(name=dimension, question=question, type=DimensionType.NUMBER, minimum=0.0, maximum=1.0)
    return LabelSchema(name="usefulness" if ships else dimension, version=1, dimensions=(asked,))


def register_model_schema(registry: Registry, dimension: str) -> LabelSchema:
    """Put the schema of a dimension into the registry; harmless to repeat."""
    return registry.schemas.put(schema_of(dimension))


def standing_sql(labels: str, dimension: str) -> str:
    """The labels that a model has given and nothing supersedes, `voted` being a hash of the signals behind them."""
    return f"""
    SELECT label_id AS supersedes, {", ".join(_COPIED)}, value, hash(list_sort(signal_ids)) AS voted
    FROM {labels} AS said WHERE annotator = {literal(ANNOTATOR)} AND dimension = {literal(dimension)}
      AND NOT EXISTS (FROM {labels} AS later WHERE later.supersedes = said.label_id AND later.annotator = said.annotator)
    """


def new_labels(rows: pa.Table, standing: pa.Table, by: LabelledBy, known_at: datetime) -> pa.Table:
    """The labels to append for these rows of votes, given all that stand of the same interactions.

    A label whose interaction has no vote any more, or does not count any more, is withdrawn.
    """
    engine = open_database()
    engine.register("votes", rows)
    engine.register("standing", standing)
    engine.register("scored", _scored(engine.sql(patterns_sql("votes")).to_arrow_table(), by))
    changed = engine.sql(f"""
      SELECT {", ".join(f"votes.{name}" for name in _COPIED)}, votes.signal_ids, scored.value,
        scored.value_json, scored.rationale, standing.supersedes
      FROM votes JOIN scored USING ({", ".join(PATTERN)}) LEFT JOIN standing USING (interaction_id)
      WHERE votes.fired <> 0 AND (standing.value IS NULL OR standing.voted <> hash(votes.signal_ids)
        OR abs(standing.value - scored.value) > {LEAST_CHANGE} - 1e-9)
      UNION ALL BY NAME
      SELECT {", ".join(_COPIED)}, NULL::DOUBLE AS value, NULL::VARCHAR AS value_json, {literal(_WITHDRAWN)} AS rationale,
        []::VARCHAR[] AS signal_ids, supersedes
      FROM standing ANTI JOIN (FROM votes WHERE fired <> 0) AS voted USING (interaction_id) WHERE value IS NOT NULL
    """)
    return _as_labels(changed.select(*_COLUMNS).to_arrow_table(), by, known_at)


def _scored(rows: pa.Table, by: LabelledBy) -> pa.Table:
    """Each pattern with its probability, and the votes behind it as JSON and in words."""
    patterns = patterns_of(rows)
    values = probabilities(patterns, by.functions, by.parameters).round(DIGITS)
    votes = [_voting(fired, by.functions) for fired in patterns.fired.tolist()]
    voters = voters_of(by.functions)
    names = [sorted(by.functions[place].name for place in (*voter.good, *voter.bad)) for voter in voters]
    silence = cast_votes(patterns, by.functions, voters, by.parameters.heard).is_silent
    silent = [sorted(name for said, one in zip(row, names, strict=True) if said for name in one) for row in silence.tolist()]
    told = [
        msgspec.json.encode({"model": by.label_model_id, "votes": said, "silent": unsaid}).decode()
        for said, unsaid in zip(votes, silent, strict=True)
    ]
    words = ["; ".join(f"{name} says {answer}" for name, answer in said.items()) for said in votes]
    scored = rows.select(PATTERN)
    for name, column in (
        ("value", pa.array(values)),
        ("value_json", pa.array(told)),
        ("rationale", pa.array(words, pa.string())),
    ):
        scored = scored.append_column(name, column)
    return _distinct(scored)


def _distinct(scored: pa.Table) -> pa.Table:
    """Patterns that differ only in what people say are one here."""
    grouped = scored.group_by(list(PATTERN)).aggregate([(name, "min") for name in ("value", "value_json", "rationale")])
    return grouped.rename_columns([name.removesuffix("_min") for name in grouped.column_names])


def _voting(fired: int, functions: Sequence[LabellingFunction]) -> dict[str, str]:
    return {function.name: function.votes for place, function in enumerate(functions) if fired >> place & 1}


def _as_labels(changed: pa.Table, by: LabelledBy, known_at: datetime) -> pa.Table:
    """In the columns of the table of labels, but for those that stay empty."""
    number = changed.num_rows
    dimension = by.functions[0].dimension
    schema = schema_of(dimension)
    columns = {name: column_values(changed.column(name)) for name in ("interaction_id", "value", "signal_ids", "supersedes")}
    identifiers = [
        label_id(schema.name, schema.version, dimension, target, ANNOTATOR, "|".join([repr(value), *signals, before or ""]))
        for target, value, signals, before in zip(*columns.values(), strict=True)
    ]
    fixed: dict[str, Any] = {
        "target_kind": "interaction",
        "schema": schema.name,
        "schema_version": schema.version,
        "dimension": dimension,
        "annotator_kind": AnnotatorKind.PROGRAM.value,
        "annotator": ANNOTATOR,
        "inclusion_probability": 1.0,
        "stream": "learning",
    }
    labels = changed.append_column("label_id", pa.array(identifiers, pa.string()))
    for name, source in (("target_id", "interaction_id"), ("probability", "value")):
        labels = labels.append_column(name, changed.column(source))
    labels = labels.append_column("known_at", pa.array([known_at] * number, pa.timestamp("us", "UTC")))
    for name, value in fixed.items():
        labels = labels.append_column(name, pa.repeat(pa.scalar(value), number))
    return labels
