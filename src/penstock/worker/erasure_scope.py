"""What belongs to erased users: their interactions, the traces and sessions that are theirs alone, and the names of all these.

A trace or a session that somebody else has a part in stays, without the erased user's part of it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable

import ibis.expr.types as ir
from msgspec import Struct

from penstock.ingest.tombstones import Tombstones, session_tombstone, target_tombstone, user_tombstone
from penstock.lake.lake import Lake
from penstock.lake.selection import among
from penstock.records.feedback import TargetKind

Target = tuple[str, str | None, str]  # kind, name of a business key, identifier
_NAMED_BY = ((TargetKind.REQUEST, "request_id"), (TargetKind.RESPONSE, "response_id"), (TargetKind.SESSION, "session_id"))


class ErasureScope(Struct, frozen=True, kw_only=True):
    """Everything that goes."""

    users: frozenset[str]
    traces: frozenset[str]  # theirs alone
    sessions: frozenset[str]  # theirs alone
    interactions: frozenset[str]
    spans: frozenset[str]  # keys of spans, of traces that are not theirs alone too
    targets: frozenset[Target]  # names that speak of these interactions and of no other

    def tombstones(self) -> Tombstones:
        """What keeps late arrivals out."""
        return Tombstones(
            users=frozenset(user_tombstone(user) for user in self.users),
            sessions=frozenset(session_tombstone(session) for session in self.sessions),
            traces=self.traces,
            targets=frozenset(target_tombstone(*target) for target in self.targets),
        )


def find_scope(lake: Lake, users: Collection[str]) -> ErasureScope:
    """The scope of these users, given as keyed hashes."""
    spans, interactions = lake.revisions("spans"), lake.revisions("interactions")
    theirs = [among(rows, "user_id", users).select("trace_id", "session_id").distinct() for rows in (spans, interactions)]
    traces, sessions = _values(theirs, "trace_id"), _values(theirs, "session_id")
    sessions -= _with_others([spans, interactions], "session_id", sessions, users)
    traces |= _values([among(rows, "session_id", sessions).select("trace_id") for rows in (spans, interactions)], "trace_id")
    shared = _with_others([spans, interactions], "trace_id", traces, users)
    own = traces - shared
    selected = [
        among(interactions, column, values).select("interaction_id")
        for column, values in (("user_id", users), ("trace_id", own), ("session_id", sessions))
    ]
    erased = _values(selected, "interaction_id")
    return ErasureScope(
        users=frozenset(users),
        traces=frozenset(own),
        sessions=frozenset(sessions),
        interactions=frozenset(erased),
        spans=frozenset(_spans(spans, users, own, sessions) | _parts_of(among(spans, "trace_id", shared), users, erased)),
        targets=frozenset(_targets(interactions, erased)),
    )


def _values(selections: Iterable[ir.Table], column: str) -> set[str]:
    found: set[str] = set()
    for rows in selections:
        found.update(rows.filter(rows[column].notnull()).select(column).distinct().to_pyarrow().column(0).to_pylist())
    return found


def _with_others(tables: Iterable[ir.Table], column: str, values: Collection[str], users: Collection[str]) -> set[str]:
    """Of these values of a column those that other users have too."""
    selected = (among(rows.filter(rows.user_id.notnull()), column, values).select(column, "user_id") for rows in tables)
    pairs = [rows.distinct().to_pyarrow() for rows in selected]
    return {
        value
        for rows in pairs
        for value, user in zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True)
        if user not in users
    }


def _spans(spans: ir.Table, users: Collection[str], traces: Collection[str], sessions: Collection[str]) -> set[str]:
    wanted = (("user_id", users), ("trace_id", traces), ("session_id", sessions))
    return _values([among(spans, column, values).select("span_key") for column, values in wanted], "span_key")


def _parts_of(shared: ir.Table, users: Collection[str], erased: Collection[str]) -> set[str]:
    """Of traces that others have a part in: the spans of the erased, and what hangs below them without being another's."""
    columns = ("span_key", "trace_id", "span_id", "parent_span_id", "user_id", "kind")
    rows = shared.select(*columns).distinct().to_pyarrow().to_pylist()
    below: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        below[row["trace_id"], row["parent_span_id"] or (row["span_id"] if row["kind"] == "event" else "")].append(row)
    waiting = [row for row in rows if row["user_id"] in users or row["span_key"] in erased]
    found: set[str] = set()
    while waiting:
        row = waiting.pop()
        if row["span_key"] not in found:
            found.add(row["span_key"])
            children = below[row["trace_id"], row["span_id"]]
            waiting.extend(child for child in children if child["user_id"] is None or child["user_id"] in users)
    return found


def _targets(interactions: ir.Table, erased: Collection[str]) -> set[Target]:
    """Names by which reports speak of erased interactions alone; a ticket that others share is not one."""
    columns = ("interaction_id", "request_id", "response_id", "trace_id", "span_id", "session_id", "keys")
    mine = among(interactions, "interaction_id", erased).select(*columns).distinct().to_pyarrow().to_pylist()
    found = {target for row in mine for target in _names_of(row)}
    shared: set[Target] = set()
    for kind, column in _NAMED_BY:
        named = among(interactions, column, {identifier for of_kind, _, identifier in found if of_kind == kind})
        rows = named.select("interaction_id", column).distinct().to_pyarrow().to_pylist()
        shared |= {(str(kind), None, row[column]) for row in rows if row["interaction_id"] not in erased}
    for key in sorted({key for kind, key, _ in found if kind == TargetKind.KEY and key}):
        carrying = interactions.mutate(key_value=interactions["keys"].get(key, None))
        named = among(carrying, "key_value", {identifier for _, of_key, identifier in found if of_key == key})
        rows = named.select("interaction_id", "key_value").distinct().to_pyarrow().to_pylist()
        shared |= {(str(TargetKind.KEY), key, row["key_value"]) for row in rows if row["interaction_id"] not in erased}
    return found - shared


def _names_of(row: dict[str, object]) -> Iterable[Target]:
    yield str(TargetKind.SPAN), None, f"{row['trace_id']}:{row['span_id']}"
    for kind, column in _NAMED_BY:
        if row[column]:
            yield str(kind), None, str(row[column])
    keys = row["keys"]
    for key, value in keys.items() if isinstance(keys, dict) else keys or ():  # type: ignore[attr-defined]
        yield str(TargetKind.KEY), str(key), str(value)
