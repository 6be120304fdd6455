"""What a signal definition makes of interactions, without a lake: the definition itself over a table in memory."""

from datetime import datetime

import ibis
import pyarrow as pa

from penstock.lake.arrow_schema import from_arrow, to_arrow
from penstock.lake.tables import TABLES
from penstock.records.interaction import Interaction
from penstock.signals.definition import RAW_MESSAGES, Definition, Finding, Tables


def findings_of(definition: Definition, interactions: list[Interaction], as_of: datetime) -> list[Finding]:
    """The findings among these interactions, by target."""
    engine = ibis.duckdb.connect()
    engine.con.execute("SET TimeZone = 'UTC'")
    rows = ibis.memtable(to_arrow(TABLES["interactions"], interactions))
    tables = Tables(reports=rows, interactions=rows.drop(*RAW_MESSAGES), whole_interactions=rows, as_of=ibis.literal(as_of))
    candidates = engine.to_pyarrow(definition.candidates(tables))
    batches = [definition.find(batch) for batch in candidates.to_batches()]
    found = [one for batch in batches for one in from_arrow(Finding, pa.Table.from_batches([batch]))]
    return sorted(found, key=lambda one: one.target_id)
