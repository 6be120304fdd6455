"""Which turns are read and judged anew when turns change: their sessions, the turns that they follow, and what all of these are
judged by. Ids, people and times alone are read to find this out; a busy user costs what many quiet ones do.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from penstock.lake.arrow_schema import arrow_schema
from penstock.lake.in_memory import open_database
from penstock.lake.lake import Lake
from penstock.lake.selection import distinct_ids
from penstock.lake.tables import TABLES
from penstock.signals.definition import RETURN_WITHIN_S

# A session counts as one for so long from a changed turn; what lies further off is neither read nor judged anew.
LONGEST_SESSION = timedelta(days=14)
# How far around a session what its user asked before and after may start.
NEIGHBOURHOOD = timedelta(seconds=RETURN_WITHIN_S)

_COLUMNS = ("interaction_id", "session_id", "user_id", "application", "prompt_name", "exposure", "started_at")
_NO_TURNS = pa.schema([arrow_schema(TABLES["interactions"]).field(name) for name in _COLUMNS]).empty_table()
# The next request of the same session, and of the same user, among the turns in which somebody asked something.
_FOLLOWING = """
CREATE OR REPLACE TABLE following AS SELECT *,
  CASE WHEN session_id IS NOT NULL THEN lead(interaction_id) OVER (PARTITION BY coalesce(session_id, interaction_id), same
    ORDER BY started_at, interaction_id) END AS next_in_session,
  CASE WHEN user_id IS NOT NULL THEN lead(interaction_id) OVER (PARTITION BY coalesce(user_id, interaction_id), same
    ORDER BY started_at, interaction_id) END AS next_of_user
FROM (SELECT *, (coalesce(application, ''), coalesce(prompt_name, ''), exposure) AS same FROM turns WHERE is_request)
"""
# The changed turns and those that they come right after, or used to.
_BEGUN = """
CREATE TABLE begun AS SELECT interaction_id, session_id FROM seeds UNION SELECT interaction_id, session_id FROM following
WHERE next_in_session IN (SELECT interaction_id FROM seeds) OR next_of_user IN (SELECT interaction_id FROM seeds)
"""
_SESSIONS = """
CREATE TABLE sessions AS SELECT session_id AS id FROM (FROM begun UNION ALL BY NAME FROM former) WHERE session_id IS NOT NULL
GROUP BY ALL
"""
_USERS = """
SELECT DISTINCT user_id AS id FROM turns WHERE user_id IS NOT NULL
AND (session_id IN (SELECT id FROM sessions) OR interaction_id IN (SELECT interaction_id FROM begun))
"""
_JUDGED = """
CREATE TABLE judged AS SELECT interaction_id FROM turns WHERE session_id IN (SELECT id FROM sessions)
UNION SELECT interaction_id FROM begun
"""
_NEEDED = """
WITH after AS (SELECT * FROM following SEMI JOIN judged USING (interaction_id))
SELECT interaction_id FROM judged UNION SELECT next_in_session FROM after WHERE next_in_session IS NOT NULL
UNION SELECT next_of_user FROM after WHERE next_of_user IS NOT NULL
"""


class Touched(Struct, frozen=True, kw_only=True):
    """What changed turns touch."""

    turns: pa.Table  # interaction_id: to be read
    targets: pa.Table  # id: interactions and sessions that are judged anew
    days: tuple[date, date]  # on which the turns started


def touched_by(lake: Lake, seeds: pa.Table) -> Touched:
    """What these rows of INTERACTION_COLUMNS touch."""
    if seeds.num_rows == 0:
        never = date(1970, 1, 1)
        return Touched(turns=pa.table({"interaction_id": pa.array([], pa.string())}), targets=distinct_ids(), days=(never, never))
    search = _Search(lake, seeds)
    search.find_sessions()
    search.read_sessions()
    return search.touched()


class _Search:
    """One search, in the tables `seeds`, `turns`, `following`, `begun`, `sessions` and `judged` of a database in memory."""

    def __init__(self, lake: Lake, seeds: pa.Table) -> None:
        self._lake = lake
        self._seeds = seeds
        bounds: Any = pc.min_max(seeds.column("started_at"))
        self._first, self._last = bounds["min"].as_py(), bounds["max"].as_py()
        # Sessions that go on a little after the last change are within it, so that they need not be read again.
        self._span = (self._first - NEIGHBOURHOOD, self._last + 2 * NEIGHBOURHOOD)
        self._engine = open_database()
        self._engine.register("seeds", seeds)

    @property
    def days(self) -> tuple[date, date]:
        """The days on which the turns that are read may start."""
        return self._span[0].date(), self._span[1].date()

    def find_sessions(self) -> None:
        """The sessions that changed turns belong to or come right after, or used to."""
        engine = self._engine
        self._former = self._as_they_were()
        self._known = _column(self._seeds, "session_id"), distinct_ids(self._seeds["user_id"], self._former["user_id"])
        self._now = self._turns_of(*self._known)
        engine.register("now", self._now)
        engine.register("former", self._former)
        engine.execute(
            "CREATE TABLE turns AS FROM now UNION ALL BY NAME (SELECT *, true AS is_request FROM former EXCEPT SELECT "
            f"{', '.join(_COLUMNS)}, true FROM now)"
        )
        engine.execute(_FOLLOWING)
        engine.execute(_BEGUN)
        engine.execute(_SESSIONS)

    def read_sessions(self) -> None:
        """All turns of these sessions and their users, and what follows what."""
        engine = self._engine
        sessions, users = engine.sql("FROM sessions").to_arrow_table(), engine.sql(_USERS).to_arrow_table()
        # A session that goes on for long is read whole, and what its user asked after its end.
        reach = self._reach(sessions)
        needed = (min([self._span[0], *reach]), max([self._last, *reach]) + NEIGHBOURHOOD)
        is_within = self._span[0] <= needed[0] and needed[1] <= self._span[1]
        self._span = self._span if is_within else needed
        more = self._turns_of(*map(_without, (sessions, users), self._known)) if is_within else self._turns_of(sessions, users)
        engine.register("more", more)
        if is_within and not self._former.num_rows:
            unknown = engine.sql("SELECT count(*) FROM more ANTI JOIN now USING (interaction_id)").fetchall()[0][0]
            if not unknown:
                return
        turns = "FROM now UNION ALL BY NAME FROM more ANTI JOIN now USING (interaction_id)" if is_within else "FROM more"
        engine.execute(f"CREATE OR REPLACE TABLE turns AS {turns}")
        engine.execute(_FOLLOWING)

    def touched(self) -> Touched:
        """The turns of these sessions and those that changed turns follow, and for each the next one."""
        engine = self._engine
        engine.execute(_JUDGED)
        return Touched(
            turns=engine.sql(_NEEDED).to_arrow_table(),
            targets=engine.sql("SELECT interaction_id AS id FROM judged UNION SELECT id FROM sessions").to_arrow_table(),
            days=self.days,
        )

    def _as_they_were(self) -> pa.Table:
        """Every revision of amended turns: what was found of whom they followed, and of their sessions, may no longer hold."""
        amended = self._seeds.filter(pc.greater(self._seeds.column("revision"), pa.scalar(0)))
        if amended.num_rows == 0:
            return _NO_TURNS
        revisions = self._lake.rows_with("interactions", "interaction_id", _column(amended, "interaction_id"), dates=self.days)
        rows: pa.Table = revisions.select(*_COLUMNS).distinct().to_pyarrow()
        return rows

    def _reach(self, sessions: pa.Table) -> Sequence[datetime]:
        """When the turns of these sessions began, the first and the last of all; none where there is no turn."""
        if sessions.num_rows == 0:
            return []
        days = ((self._first - LONGEST_SESSION).date(), (self._last + LONGEST_SESSION).date())
        extent = self._lake.select_with(_extent, "interactions", "session_id", sessions, dates=days).to_pylist()[0]
        return [at for at in extent.values() if at is not None]

    def _turns_of(self, sessions: pa.Table, users: pa.Table) -> pa.Table:
        """Every turn of these sessions and users that started within the span of time, without its words.

        A changed turn that lost its words counts as a request here, so that the one before it is judged anew.
        """
        found = [
            self._lake.ids_with("interactions", who, ids, dates=self.days).column(0)
            for who, ids in (("session_id", sessions), ("user_id", users))
            if ids.num_rows
        ]
        if not found:
            return _NO_TURNS.append_column("is_request", pa.array([], pa.bool_()))
        turns = self._lake.select(_without_words, "interactions", distinct_ids(*found), dates=self.days)
        first, last = (pa.scalar(at, pa.timestamp("us", "UTC")) for at in self._span)
        started_at: Any = turns.column("started_at")
        turns = turns.filter(pc.and_(pc.greater_equal(started_at, first), pc.less_equal(started_at, last)))
        is_seed = pc.is_in(turns.column("interaction_id"), self._seeds.column("interaction_id").combine_chunks())
        at = turns.schema.get_field_index("is_request")
        return turns.set_column(at, "is_request", pc.or_(turns.column("is_request"), is_seed))


def _without_words(interactions: ir.Table) -> ir.Table:
    is_thin = ~interactions.content_sampled.fill_null(True)  # its words were sampled out, but it was a turn
    return interactions.select(*_COLUMNS, is_request=interactions.prompt_text.notnull() | is_thin)


def _extent(interactions: ir.Table) -> ir.Table:
    return interactions.aggregate(first=interactions.started_at.min(), last=interactions.started_at.max())


def _column(rows: pa.Table, name: str) -> pa.Table:
    return distinct_ids(rows.column(name))


def _without(ids: pa.Table, known: pa.Table) -> pa.Table:
    return ids.filter(pc.invert(pc.is_in(ids.column("id"), known.column("id").combine_chunks())))
