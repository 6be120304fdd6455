"""The cases of an outcome's rates: interactions that it may still be about or is about, and when it came. Read-only.

One outcome and key has one report that counts, so a key is one case: with the rules `last` and `first` the interaction that has
the outcome or else the one that would get it now; with `all` and `decay` the interactions that share it, or would, each in part.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import ibis
import pyarrow as pa

from penstock.ingest.attribution import MICROSECONDS_OF_AN_HOUR, OutcomeDefinition, raw_share
from penstock.lake.in_memory import open_database
from penstock.lake.lake import Lake
from penstock.outcome_settings import OutcomeSettings
from penstock.records.feedback import SETTLED

DIMENSIONS = ("segment", "model_version", "application")

# With `last` and `first` each key's one case: the interaction with the outcome, else the one that the rule would choose.
_ONE_PER_KEY = """
  SELECT * REPLACE (1.0 AS weight) FROM told
  QUALIFY row_number() OVER (PARTITION BY key, id ORDER BY happened_at IS NULL, started_at {order}, interaction_id) = 1
"""
# With `all` and `decay` the parts of each key's one case: of the outcome, else of one that came just after the youngest.
_PARTS_OF_KEY = """
  SELECT * EXCLUDE (raw) REPLACE (CASE WHEN happened_at IS NULL THEN raw / sum(raw) OVER (PARTITION BY key, id) ELSE weight END
    AS weight)
  FROM (
    SELECT *, {raw} AS raw FROM told QUALIFY happened_at IS NOT NULL OR (count(happened_at) OVER (PARTITION BY key, id) = 0
      AND started_at >= max(started_at) OVER (PARTITION BY key, id) - to_microseconds({window_us})))
"""
_LEAST_PART = 1e-6
_CASES = """
WITH outcomes AS (
  SELECT interaction_id, last.value AS value, last.occurred_at AS happened_at, last.weight AS weight FROM (
    SELECT interaction_id, max(struct_pack(occurred_at, feedback_id, value, weight)) AS last FROM reports GROUP BY interaction_id)
), told AS (
  SELECT * FROM carrying LEFT JOIN outcomes USING (interaction_id) WHERE started_at <= $as_of
), cases AS ({choice})
SELECT DISTINCT ON (interaction_id) interaction_id, started_at, {dimensions}, value, happened_at,
  greatest(weight, {least}) AS weight, (epoch_us($as_of::TIMESTAMPTZ) - epoch_us(started_at)) / 3600000000.0 AS age_h,
  CASE WHEN happened_at IS NOT NULL THEN greatest(epoch_us(happened_at) - epoch_us(started_at), 0) / 3600000000.0 END AS delay_h
FROM cases ORDER BY interaction_id, weight DESC
"""


def read_cases(lake: Lake, definition: OutcomeDefinition, exposures: Sequence[str], as_of: datetime) -> pa.Table:
    """Per interaction when it began, its age and, where the outcome came, its value and delay, in hours; and DIMENSIONS.

    `weight` is how much of a case it is: 1, or its share where interactions share an outcome.
    """
    engine = open_database()
    engine.register("carrying", _carrying(lake, definition, exposures))
    engine.register("reports", _reports(lake, definition))
    query = _CASES.format(choice=_choice(definition.settings), dimensions=", ".join(DIMENSIONS), least=_LEAST_PART)
    found: pa.Table = engine.sql(query, params={"as_of": as_of}).to_arrow_table()
    return found


def _choice(settings: OutcomeSettings) -> str:
    order = {"last": "DESC", "first": "ASC"}.get(settings.rule)
    if order:
        return _ONE_PER_KEY.format(order=order)
    window_us = int(settings.window_h * MICROSECONDS_OF_AN_HOUR)
    return _PARTS_OF_KEY.format(raw=raw_share(settings, "key, id"), window_us=window_us)


def _carrying(lake: Lake, definition: OutcomeDefinition, exposures: Sequence[str]) -> pa.Table:
    """The interactions of these exposures with a key of the definition, once for each."""
    rows = lake.current("interactions")
    served = rows.filter(rows.exposure.isin(list(exposures)))
    columns = ("interaction_id", "started_at", *DIMENSIONS)
    found = []
    for key in definition.settings.keys:
        of_key = served.select(*columns, key=ibis.literal(key), id=served["keys"].get(key, None))
        found.append(of_key.filter(of_key.id.notnull()).to_pyarrow())
    return pa.concat_tables(found)


def _reports(lake: Lake, definition: OutcomeDefinition) -> pa.Table:
    """The reports that count, once for each interaction that they are about, with its share."""
    rows = lake.current("feedback")
    counting = rows.filter(rows.name == definition.name, rows.status.isin(SETTLED))
    told: Any = counting.select("feedback_id", "interaction_id", "attribution", "value", "occurred_at").to_pyarrow()
    engine = open_database()
    engine.register("told", told)
    found: pa.Table = engine.sql(
        "SELECT feedback_id, interaction_id, 1.0::DOUBLE AS weight, value, occurred_at FROM told "
        "WHERE interaction_id IS NOT NULL UNION ALL "
        "SELECT feedback_id, unnest(map_keys(attribution)), unnest(map_values(attribution)), value, occurred_at FROM told "
        "WHERE attribution IS NOT NULL"
    ).to_arrow_table()
    return found
