"""Thin spans: what settling sampled out leaves `spans` as well, once no span can change the decision any more.

Where rules decide over whole traces, spans are stored whole until then. A trace is thinned when all of its calls stand sampled
out, its wait is over and every span of it has been settled; one of which some call is kept keeps all, since its calls draw on
each other's. The rows are no news to settling, which is how the decision is never made again from less.
"""

from datetime import date, datetime, timedelta

import pyarrow as pa

from penstock.ingest.sampling import Sampling, thin_decided
from penstock.ingest.settle import WATERMARK
from penstock.ingest.trace_days import days_around
from penstock.lake.arrow_schema import from_arrow
from penstock.lake.lake import Lake
from penstock.lake.snapshot import instant, source_sql
from penstock.records.span import Span

MARK = "thin:spans"  # the transaction that keeps when this was last done, in seconds since 1970
INTERVAL = timedelta(hours=1)  # a day is written again with all of its files that have come of age since
_SPOOL = timedelta(minutes=10)  # so late may a span that was acknowledged in time come out of its spool
_UNSETTLED, _DECIDED = "unsettled_traces", "decided_traces"


def thin_spans(lake: Lake, sampling: Sampling, now: datetime) -> int:
    """Take the content out of spans whose traces are decided; how many lost it. Beside no other maintenance."""
    last = lake.transaction_version("spans", MARK) or 0
    if not sampling.needs_whole_traces or now.timestamp() - last < INTERVAL.total_seconds():
        return 0
    wait = sampling.decision_wait + _SPOOL
    with lake.writing():
        days = lake.days_due("spans", wait, last, now)
        if not days:
            return 0
        unsettled = lake.changes("spans", lake.transaction_version("interactions", WATERMARK), ["trace_id"])
        lake.show(_UNSETTLED, unsettled.rows)
        thinned = sum(_thin_day(lake, day, now - wait) for day in days)
        lake.hide(_UNSETTLED)
        lake.append("spans", [], transactions={MARK: int(now.timestamp())})
    return thinned


def _thin_day(lake: Lake, day: date, begun_by: datetime) -> int:
    of_day = lake.snapshot("spans", (day, day))
    decided = lake.query(_decided_sql(lake, day, begun_by))
    if decided.num_rows == 0:
        return 0
    probabilities = dict(zip(*(column.to_pylist() for column in decided.columns), strict=True))

    def thin(rows: pa.Table) -> pa.Table:
        return lake.to_rows("spans", [thin_decided(span, probabilities[span.trace_id]) for span in from_arrow(Span, rows)])

    lake.show(_DECIDED, decided)
    places = f"SELECT file_index, file_row_number FROM {source_sql(of_day)} WHERE content_sampled IS NOT FALSE"
    thinned = lake.replace(of_day, f"{places} AND trace_id IN (SELECT trace_id FROM {_DECIDED})", thin)
    lake.hide(_DECIDED)
    return thinned


def _decided_sql(lake: Lake, day: date, begun_by: datetime) -> str:
    """Traces with content on a day, all of whose calls are sampled out for good, with their probability."""
    around = days_around([day])
    spans, calls = (source_sql(lake.snapshot(table, around)) for table in ("spans", "interactions"))
    return (
        f"WITH whole AS (SELECT DISTINCT trace_id FROM {source_sql(lake.snapshot('spans', (day, day)))} "
        f"WHERE content_sampled IS NOT FALSE AND trace_id NOT IN (SELECT trace_id FROM {_UNSETTLED})), "
        f"begun AS (SELECT trace_id FROM {spans} SEMI JOIN whole USING (trace_id) GROUP BY trace_id "
        f"HAVING min(known_at) <= {instant(begun_by)}), "
        "latest AS (SELECT trace_id, interaction_id, max(struct_pack(revision, known_at, "
        "is_thin := content_sampled IS NOT DISTINCT FROM FALSE, sample_probability)) AS row "
        f"FROM {calls} SEMI JOIN begun USING (trace_id) GROUP BY ALL) "
        "SELECT trace_id, max(row.sample_probability) AS probability FROM latest GROUP BY trace_id HAVING bool_and(row.is_thin)"
    )
