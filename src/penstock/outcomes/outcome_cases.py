"""The cases of an outcome's rates: interactions that it may still be about or is about, and when it came. Read-only.

One outcome and key has one report that counts. So with the rules `last` and `first` a key is one case: the interaction that has
the outcome or else the one that would get it now. With `all` and `decay` every interaction that carries the key is one.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import duckdb
import ibis
import pyarrow as pa

from penstock.ingest.attribution import OutcomeDefinition
from penstock.lake.lake import Lake
from penstock.records.feedback import SETTLED

DIMENSIONS = ("segment", "model_version", "application")

# With `last` and `first` each key's one case: the interaction with the outcome, else the one that the rule would choose.
_ONE_PER_KEY = (
    "QUALIFY row_number() OVER (PARTITION BY key, id ORDER BY happened_at IS NULL, started_at {order}, interaction_id) = 1"
)
_CASES = """
WITH outcomes AS (
  SELECT interaction_id, last.value AS value, last.occurred_at AS happened_at FROM (
    SELECT interaction_id, max(struct_pack(occurred_at, feedback_id, value)) AS last FROM reports GROUP BY interaction_id)
), cases AS (
  SELECT * FROM carrying LEFT JOIN outcomes USING (interaction_id) {choice}
)
SELECT DISTINCT ON (interaction_id) interaction_id, started_at, {dimensions}, value, happened_at,
  (epoch_us($as_of::TIMESTAMPTZ) - epoch_us(started_at)) / 3600000000.0 AS age_h,
  CASE WHEN happened_at IS NOT NULL THEN greatest(epoch_us(happened_at) - epoch_us(started_at), 0) / 3600000000.0 END AS delay_h
FROM cases WHERE started_at <= $as_of ORDER BY interaction_id
"""


def read_cases(lake: Lake, definition: OutcomeDefinition, exposures: Sequence[str], as_of: datetime) -> pa.Table:
    """Per case when it began, its age and, where the outcome came, its value and delay, in hours; and DIMENSIONS."""
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    engine.register("carrying", _carrying(lake, definition, exposures))
    engine.register("reports", _reports(lake, definition))
    order = {"last": "DESC", "first": "ASC"}.get(definition.settings.rule)
    choice = _ONE_PER_KEY.format(order=order) if order else ""
    query = _CASES.format(choice=choice, dimensions=", ".join(DIMENSIONS))
    found: pa.Table = engine.sql(query, params={"as_of": as_of}).to_arrow_table()
    return found


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
    """The reports that count, once for each interaction that they are about."""
    rows = lake.current("feedback")
    counting = rows.filter(rows.name == definition.name, rows.status.isin(SETTLED))
    told: Any = counting.select("feedback_id", "interaction_id", "attribution", "value", "occurred_at").to_pyarrow()
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    engine.register("told", told)
    found: pa.Table = engine.sql(
        "SELECT feedback_id, interaction_id, value, occurred_at FROM told WHERE interaction_id IS NOT NULL UNION ALL "
        "SELECT feedback_id, unnest(map_keys(attribution)), value, occurred_at FROM told WHERE attribution IS NOT NULL"
    ).to_arrow_table()
    return found
