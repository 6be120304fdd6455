"""Settle: new spans become interactions, and a late arrival that adds something becomes a revision of one.

Reads only what is new, rebuilds the interactions of every trace it touches, and appends those that differ from what stands. The
watermark goes into the same commit as the rows, so a run that dies is as if it had never begun. One writer at a time.

`turn_index` stays empty here: it depends on every other interaction of the session, so one late arrival would rewrite all later
rows; it is a row number by session and start, taken where it is read.
"""

from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from penstock.ingest.interactions import Price, build_interactions, no_price
from penstock.ingest.plain_interactions import find_plain, plain_interactions
from penstock.ingest.sampling import Sampling
from penstock.ingest.standing import amend, find_standing, find_standing_briefly, to_records
from penstock.ingest.thinned_calls import complete_thinned
from penstock.ingest.trace_days import days_around
from penstock.lake.changes import Changes
from penstock.lake.lake import Lake
from penstock.lake.tables import reader
from penstock.lake.watermarks import Horizon
from penstock.policy_settings import SampleSettings
from penstock.records.clock import WriterClock
from penstock.records.span import Span

WATERMARK = reader("spans", "settle")
MAX_ROWS = 30_000


class Settled(Struct, frozen=True, kw_only=True):
    """What settling found and wrote."""

    spans: int = 0
    created: int = 0
    revised: int = 0
    unchanged: int = 0


def settle_interactions(
    lake: Lake, clock: WriterClock, max_rows: int = MAX_ROWS, price: Price = no_price, sampling: Sampling | None = None
) -> Settled:
    """Settle every span that was new when this began, in chunks of whole commits; without `sampling` all content is kept."""
    sampling = sampling or Sampling(SampleSettings(), b"")
    total = Settled()
    horizon = Horizon(lake, "interactions", [WATERMARK])
    while (settled := _settle_chunk(lake, clock, max_rows, price, sampling)) is not None:
        total = Settled(**{name: getattr(total, name) + getattr(settled, name) for name in Settled.__struct_fields__})
        if horizon.is_reached():
            break
    return total


def _settle_chunk(lake: Lake, clock: WriterClock, max_rows: int, price: Price, sampling: Sampling) -> Settled | None:
    after = lake.transaction_version("interactions", WATERMARK)
    changes = lake.changes("spans", after, None, max_rows)
    if changes.rows.num_rows == 0:
        return None
    known_at = clock.known_at()
    plain, others = _part(lake, _spans_of_traces(lake, changes), may_be_plain=sampling.keeps_all)
    spans = to_records(Span, others)
    built = build_interactions(spans, known_at, price)
    may_be_thin = not sampling.keeps_all or any(span.content_sampled is False for span in spans)
    standing = find_standing(lake, built) if may_be_thin else find_standing_briefly(lake, built)
    sampled = complete_thinned(sampling.thin_interactions(built, spans, standing), spans, standing)
    amended = list(amend(sampled, standing))
    rows = pa.concat_tables(
        [lake.check("interactions", plain_interactions(plain, known_at, price)), lake.to_rows("interactions", amended)]
    )
    lake.append("interactions", rows, transactions={WATERMARK: changes.version})
    created = plain.num_rows + sum(interaction.revision == 0 for interaction in amended)
    return Settled(
        spans=changes.rows.num_rows,
        created=created,
        revised=rows.num_rows - created,
        unchanged=len(built) - len(amended),
    )


def _spans_of_traces(lake: Lake, new: Changes) -> pa.Table:
    """The spans that have arrived up to the new ones, of their traces; one sent twice may come twice.

    Those that came later wait for their turn: a settle that is behind would else find them twice, and fall further behind.
    """
    traces = pa.table([pc.unique(new.rows.column("trace_id"))], names=["id"])
    around = _days_around(new.rows)
    if not set(lake.snapshot("spans").files).issuperset(new.files):  # rewritten or compacted since
        return lake.check("spans", lake.rows_with("spans", "trace_id", traces, dates=around).to_pyarrow())
    others = lake.rows_with("spans", "trace_id", traces, dates=around, besides={*new.files, *new.later}).to_pyarrow()
    return pa.concat_tables([new.rows, lake.check("spans", others)])


def _days_around(spans: pa.Table) -> tuple[date, date]:
    days: list[Any] = pc.unique(spans.column("date")).to_pylist()
    return days_around(days)


def _part(lake: Lake, spans: pa.Table, *, may_be_plain: bool) -> tuple[pa.Table, pa.Table]:
    """The spans that are an interaction each as they stand, and all others; what has been settled before is not plain."""
    if not may_be_plain:
        return spans.slice(0, 0), spans
    is_plain = find_plain(spans)
    ids = spans.select(["span_key"]).filter(is_plain).rename_columns(["id"])
    rows = lake.rows_with("interactions", "interaction_id", ids, dates=_days_around(spans))
    settled = rows.select("interaction_id").to_pyarrow()
    if settled.num_rows:
        is_plain = pc.and_not(is_plain, pc.is_in(spans.column("span_key"), settled.column(0).combine_chunks()))
    if pc.all(is_plain).as_py():
        return spans, spans.slice(0, 0)
    return spans.filter(is_plain), spans.filter(pc.invert(is_plain))
