"""Reading what reports may be about out of the lake: interactions by any name they ever had, and the spans above them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import ibis.expr.types as ir

from penstock.ingest.feedback_targets import Directory, Name, Named, target_names
from penstock.ingest.spans_above import Link, SpanId, spans_below
from penstock.lake.arrow_schema import from_arrow
from penstock.lake.lake import Lake
from penstock.lake.selection import among, ids_of, ids_of_any
from penstock.records.feedback import Feedback, TargetKind
from penstock.records.ids import interaction_id
from penstock.records.span import SpanKind

_COLUMN_OF = {
    TargetKind.REQUEST: "request_id",
    TargetKind.RESPONSE: "response_id",
    TargetKind.SPAN: "interaction_id",
    TargetKind.TRACE: "trace_id",
    TargetKind.SESSION: "session_id",
}


def look_up_targets(lake: Lake, reports: Iterable[Feedback]) -> Directory:
    """A directory of every interaction that these reports may name: candidates by any revision, then what they are called now."""
    reports = list(reports)
    wanted: dict[str, set[str]] = defaultdict(set)
    keyed: dict[str, set[str]] = defaultdict(set)
    for kind, key, value in (name for report in reports for name in target_names(report)):
        if kind == TargetKind.KEY:
            keyed[key].add(value)
        elif kind == TargetKind.SPAN and value.startswith(":"):
            wanted["span_id"].add(value.removeprefix(":"))
        elif kind in _COLUMN_OF:
            wanted[_COLUMN_OF[TargetKind(kind)]].add(value)
    found = _candidates(lake, wanted, keyed)
    named = with_successors(lake, found) if found else []
    directory = Directory(named)
    unknown = [report for report in reports if report.target_kind == TargetKind.SPAN and not directory.find(report)]
    return _with_spans_above(lake, named, unknown) if unknown else directory


def _with_spans_above(lake: Lake, named: list[Named], reports: list[Feedback]) -> Directory:
    """A directory that also knows what lies below the spans that these reports name."""
    given = {SpanId(*report.target_id.lower().partition(":")[::2]) for report in reports}
    links = _links(
        lake, {span.trace_id for span in given if span.trace_id}, {span.span_id for span in given if not span.trace_id}
    )
    traces = {link.trace_id for link in links}
    found = _candidates(lake, {"trace_id": traces}, {}) if traces else set()
    rows = with_successors(lake, found) if found else []
    leaves = {SpanId(row.trace_id, row.span_id): row.interaction_id for row in rows}
    wanted = given | {SpanId(trace, span.span_id) for span in given if not span.trace_id for trace in traces}
    names: dict[Name, set[str]] = defaultdict(set)
    for above, below in spans_below(links, leaves, wanted).items():
        for name in (interaction_id(*above), f":{above.span_id}"):
            names[Name(TargetKind.SPAN, "", name)] |= {leaves[leaf] for leaf in below}
    return Directory([*named, *rows], names)


def _links(lake: Lake, traces: set[str], alone: set[str]) -> list[Link]:
    """Every span of these traces, and of those in which the spans named alone lie, with its parent."""
    spans = lake.revisions("spans")
    if alone:
        traces = traces | {str(value) for value in ids_of(among(spans, "span_id", alone), "trace_id").column(0).to_pylist()}
    rows = among(spans, "trace_id", traces)
    return from_arrow(Link, rows.filter(rows.kind != SpanKind.EVENT).select(*Link.__struct_fields__).to_pyarrow())


def _candidates(lake: Lake, wanted: Mapping[str, set[str]], keyed: Mapping[str, set[str]]) -> set[str]:
    revisions = lake.revisions("interactions")
    selections = [among(revisions, column, values) for column, values in wanted.items()]
    for key, values in keyed.items():
        carrying = revisions.mutate(key_value=revisions["keys"].get(key, None))
        selections.append(among(carrying, "key_value", values))
    return {str(value) for value in ids_of_any(selections, "interaction_id").column(0).to_pylist()}


def with_successors(lake: Lake, identifiers: set[str]) -> list[Named]:
    """These interactions, and those that they were merged into."""
    rows = _named(lake, identifiers)
    further = {row.merged_into for row in rows if row.merged_into} - identifiers
    return rows + (_named(lake, further) if further else [])


def _named(lake: Lake, identifiers: set[str]) -> list[Named]:
    rows: ir.Table = among(lake.revisions("interactions"), "interaction_id", identifiers)
    return from_arrow(Named, rows.select(*Named.__struct_fields__).to_pyarrow())
