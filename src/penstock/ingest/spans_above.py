"""Which interactions lie below a span that is none itself: an agent, a chain, a request. Pure.

Outside tools report on such spans as readily as on the model's call. Only links that have arrived count, and a span that stands
above several interactions names them all.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec import Struct


class Link(Struct, frozen=True, kw_only=True):
    """A span and its parent."""

    trace_id: str
    span_id: str
    parent_span_id: str | None


class SpanId(NamedTuple):
    """One span."""

    trace_id: str
    span_id: str


def spans_below(links: Iterable[Link], leaves: Iterable[SpanId], wanted: Iterable[SpanId]) -> dict[SpanId, set[SpanId]]:
    """For each wanted span the leaves below it; those that have none are left out."""
    parents = {SpanId(link.trace_id, link.span_id): link.parent_span_id for link in links}
    found: dict[SpanId, set[SpanId]] = {}
    sought = set(wanted)
    for leaf in leaves:
        for above in _ancestors(leaf, parents):
            if above in sought:
                found.setdefault(above, set()).add(leaf)
    return found


def _ancestors(span: SpanId, parents: dict[SpanId, str | None]) -> Iterator[SpanId]:
    """From the parent upwards, as far as links are known, each one once."""
    visited = {span}
    parent = parents.get(span)
    while parent and (above := SpanId(span.trace_id, parent)) not in visited:
        visited.add(above)
        yield above
        parent = parents.get(above)
