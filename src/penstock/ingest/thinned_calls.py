"""What a late arrival makes of interactions whose spans have lost their text since: it adds what they lack, and changes nothing.

They stand as they were settled with the text at hand. Built again without it, two calls that said different things could pass
for one, and one call seen twice for two.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from penstock.ingest.event_content import FILLED
from penstock.ingest.sampling import is_sampled_out
from penstock.records.interaction import Exposure, Interaction
from penstock.records.span import Span


def complete_thinned(
    rows: Sequence[Interaction], spans: Sequence[Span], standing: Mapping[str, Interaction]
) -> Sequence[Interaction]:
    """The rows, where the span lost its content as what stands with what the row adds."""
    thinned = {span.span_key for span in spans if is_sampled_out(span)} & standing.keys()
    if not thinned:
        return rows
    return [_completed(row, standing) if row.interaction_id in thinned else row for row in rows]


def _completed(row: Interaction, standing: Mapping[str, Interaction]) -> Interaction:
    before = standing[row.interaction_id]
    added: dict[str, Any] = {name: getattr(row, name) for name in (*FILLED, "application") if getattr(before, name) is None}
    if before.session_id == before.trace_id:
        added["session_id"] = row.session_id
    if before.exposure == Exposure.SERVED:
        added["exposure"] = row.exposure
    if row.merged_into is not None and row.merged_into not in standing:  # a nearer view that came since
        added["merged_into"] = row.merged_into
    return msgspec.structs.replace(before, known_at=row.known_at, keys={**row.keys, **before.keys}, **added)
