"""What a run looks at: the targets whose signals may have changed, and the interactions and reports that these follow from.

An interaction that is new or amended touches its whole session, and the request that its user made before it, with that one's
session. Ids, people and times alone are read to find this out; a busy user costs what many quiet ones do.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from penstock.lake.arrow_schema import arrow_schema
from penstock.lake.lake import Lake
from penstock.lake.selection import ids_of
from penstock.lake.tables import TABLES
from penstock.records.feedback import SETTLED, FeedbackStatus
from penstock.signals.definition import RETURN_WITHIN_S, SESSION_QUIET_S
from penstock.signals.reports import acceptance_reports

FEEDBACK_COLUMNS = ("feedback_id", "interaction_id", "session_id", "attribution", "status", "revision")
INTERACTION_COLUMNS = ("interaction_id", "session_id", "user_id", "started_at", "revision")

# A session counts as one for so long from a changed turn; what lies further off is neither read nor judged anew.
LONGEST_SESSION = timedelta(days=14)
# How far around a session what its user asked before and after may start.
NEIGHBOURHOOD = timedelta(seconds=RETURN_WITHIN_S)

_TURN_COLUMNS = ("interaction_id", "session_id", "user_id", "application", "prompt_name", "exposure", "started_at")
_NO_TURNS = pa.schema([arrow_schema(TABLES["interactions"]).field(name) for name in _TURN_COLUMNS]).empty_table()
_DAY = timedelta(days=1)
# The next request of the same session, and of the same user, among the turns in which somebody asked something.
_NEXT = """
SELECT *,
  CASE WHEN session_id IS NOT NULL THEN lead(interaction_id) OVER (PARTITION BY coalesce(session_id, interaction_id), same
    ORDER BY started_at, interaction_id) END AS next_in_session,
  CASE WHEN user_id IS NOT NULL THEN lead(interaction_id) OVER (PARTITION BY coalesce(user_id, interaction_id), same
    ORDER BY started_at, interaction_id) END AS next_of_user
FROM (SELECT *, (coalesce(application, ''), coalesce(prompt_name, ''), exposure) AS same FROM turns WHERE is_request)
"""


class Scope(Struct, frozen=True, kw_only=True):
    """Targets whose signals are worked out anew; whatever they have that is not found again no longer holds."""

    reported: pa.Table  # id: interactions and sessions that reports may be about
    reports: pa.Table  # feedback_id: the reports on these
    shared: pa.Table  # feedback_id: those among them that are about several interactions, each with a weight
    behaving: pa.Table  # id: interactions and sessions whose turns, or what came after them, may have changed
    turns: pa.Table  # interaction_id: the turns of these, and for each the next request of its user
    days: tuple[date, date]  # on which these turns started
    since: date  # no signal of these targets happened before


def find_scope(lake: Lake, interactions: pa.Table, feedback: pa.Table, as_of: datetime | None = None) -> Scope:
    """The targets that new rows of interactions and feedback touch.

    An offer without a verdict is judged by how its session went on, so it needs the session's turns; and turns that come when
    their session is over by `as_of` already, which is not looked at again later, touch the offers before them.
    """
    matched = feedback.filter(pc.is_in(feedback.column("status"), pa.array(SETTLED, pa.string())))
    amended = interactions.filter(pc.greater(interactions.column("revision"), pa.scalar(0)))
    of_sessions = matched.filter(pc.is_null(matched.column("interaction_id"))).column("session_id")
    told = _ids(matched.column("interaction_id"), of_sessions, _shares(matched), *_left_behind(lake, feedback))
    # The first revision of an interaction has no report that is not new as well.
    reported = _ids(told.column(0), amended.column("interaction_id"))
    reports, shared = _reports_on(lake, reported)
    offers = _open_offers(lake, reports)
    turns, behaving, days = _turns(lake, _together(interactions, offers))
    if _come_late(interactions, as_of):
        passed_over = _open_offers(lake, _reports_on(lake, behaving)[0])
        if passed_over.num_rows:
            reported = _ids(reported.column(0), passed_over.column("interaction_id"))
            reports, shared = _reports_on(lake, reported)
    return Scope(
        reported=reported,
        reports=reports,
        shared=shared,
        behaving=behaving,
        turns=turns,
        days=days,
        since=days[0] - _DAY if interactions.num_rows and not reported.num_rows else date.min,
    )


def scope_of_turns(lake: Lake, turns: pa.Table) -> Scope:
    """The sessions of these turns, with what was reported on either."""
    found = _turns(lake, turns)
    _, behaving, _ = found
    return _scope_of(lake, found, behaving)


def scope_of_quiet(lake: Lake, turns: pa.Table) -> Scope:
    """Sessions that have gone quiet, of which these are the last turns; with the offers in them that have no verdict."""
    found = _turns(lake, turns)
    _, behaving, _ = found
    offers = _open_offers(lake, _reports_on(lake, behaving)[0])
    return _scope_of(lake, found, _ids(offers.column("interaction_id")))


def _scope_of(lake: Lake, found: tuple[pa.Table, pa.Table, tuple[date, date]], reported: pa.Table) -> Scope:
    turns, behaving, days = found
    reports, shared = _reports_on(lake, reported)
    return Scope(
        reported=reported,
        reports=reports,
        shared=shared,
        behaving=behaving,
        turns=turns,
        days=days,
        since=days[0] - _DAY,
    )


def quiet_sessions(lake: Lake, since: datetime, until: datetime) -> pa.Table:
    """The last turn of every session that has gone quiet between two times."""
    silence = timedelta(seconds=SESSION_QUIET_S)
    first, last = since - silence, until - silence
    rows = lake.current("interactions", dates=((first - _DAY).date(), date.max))
    lately = rows.filter(rows.ended_at > first, rows.session_id.notnull()).select(*INTERACTION_COLUMNS, "ended_at")
    ends = lately.group_by("session_id").aggregate(last=lately.ended_at.max(), at=lately.interaction_id.argmax(lately.ended_at))
    over = lately.semi_join(ends.filter(ends["last"] <= last), lately.interaction_id == ends["at"])
    found: pa.Table = over.select(*INTERACTION_COLUMNS).to_pyarrow()
    return found


def _ids(*columns: Any) -> pa.Table:
    """The distinct values of these columns, without the missing."""
    chunks = [chunk for column in columns for chunk in pa.chunked_array(column).cast(pa.string()).chunks]
    values: Any = pc.drop_null(pc.unique(pa.chunked_array(chunks, pa.string())))
    return pa.table([values], names=["id"])


def _shares(feedback: pa.Table) -> "pa.ChunkedArray[Any]":
    """The interactions of reports that are about several."""
    chunks: list[Any] = feedback.column("attribution").chunks
    return pa.chunked_array([chunk.keys for chunk in chunks if chunk.null_count < len(chunk)], pa.string())


def _left_behind(lake: Lake, feedback: pa.Table) -> "Sequence[pa.ChunkedArray[Any]]":
    """What reports that were settled anew used to be about: signals found there may no longer hold."""
    anew = feedback.filter(pc.greater(feedback.column("revision"), pa.scalar(1)))
    if anew.num_rows == 0:
        return []
    revisions = lake.rows_with("feedback", "feedback_id", _ids(anew.column("feedback_id")))
    before = revisions.filter(revisions.status.isin(SETTLED))
    about: pa.Table = before.select("attribution", target=before.interaction_id.coalesce(before.session_id)).to_pyarrow()
    return about.column("target"), _shares(about)


def _together(first: pa.Table, second: pa.Table) -> pa.Table:
    tables = [rows.select(INTERACTION_COLUMNS) for rows in (first, second)]
    return pa.concat_tables(tables, promote_options="permissive")  # they differ in what may be NULL


def _open_offers(lake: Lake, reports: pa.Table) -> pa.Table:
    """The interactions that were offered, by these reports, and have no verdict."""
    offered = pa.table({"interaction_id": pa.array([], pa.string())})
    if reports.num_rows:
        feedback = lake.current("feedback", ids=reports)
        told = feedback.filter(feedback.status == FeedbackStatus.MATCHED, feedback.interaction_id.notnull())
        fates = acceptance_reports(told.mutate(target_id=told.interaction_id))
        offered = ids_of(fates.filter(fates.state == "offered"), "interaction_id")
    found: pa.Table = lake.current("interactions", ids=offered).select(*INTERACTION_COLUMNS).to_pyarrow()
    return found


def _come_late(interactions: pa.Table, as_of: datetime | None) -> bool:
    """Whether any of these turns began so long ago that its session may have been over by then."""
    if as_of is None or interactions.num_rows == 0:
        return False
    first: datetime = pc.min(interactions.column("started_at")).as_py()
    return first <= as_of - timedelta(seconds=SESSION_QUIET_S)


def _reports_on(lake: Lake, reported: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The reports that are, or were, about these targets; and those among them that are about several interactions."""
    if reported.num_rows == 0:
        none = pa.table({"feedback_id": pa.array([], pa.string())})
        return none, none
    on_interactions = lake.ids_with("feedback", "interaction_id", reported)
    on_sessions = lake.rows_with("feedback", "session_id", reported)
    whole_sessions = ids_of(on_sessions.filter(on_sessions.interaction_id.isnull()), "feedback_id")
    shared = lake.ids_with_key("feedback", "attribution", reported)
    reports = _ids(on_interactions.column(0), whole_sessions.column(0), shared.column(0))
    return reports.rename_columns(["feedback_id"]), shared


def _turns(lake: Lake, seeds: pa.Table) -> tuple[pa.Table, pa.Table, tuple[date, date]]:
    """The turns to read whole, the targets among interactions and sessions, and the days that these turns lie on."""
    if seeds.num_rows == 0:
        today = date(1970, 1, 1)
        return pa.table({"interaction_id": pa.array([], pa.string())}), _ids(), (today, today)
    bounds: Any = pc.min_max(seeds.column("started_at"))
    span = (bounds["min"].as_py() - NEIGHBOURHOOD, bounds["max"].as_py() + NEIGHBOURHOOD)
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    engine.register("seeds", seeds)
    sessions, users = _touched(lake, engine, seeds, span)
    # A session that goes on for long is read whole, and what its user asked after its end.
    reach = _reach(lake, sessions, bounds["min"].as_py(), bounds["max"].as_py())
    span = (min([span[0], *reach]) - NEIGHBOURHOOD, max([span[1], *reach]) + NEIGHBOURHOOD)
    engine.register("turns", _of_people(lake, sessions, users, span, seeds))
    engine.execute(f"CREATE TABLE following AS {_NEXT}")
    targets = engine.sql(
        "SELECT interaction_id AS id FROM turns WHERE session_id IN (SELECT id FROM sessions) UNION SELECT interaction_id FROM "
        "begun UNION SELECT id FROM sessions"
    ).to_arrow_table()
    needed = engine.sql(
        "WITH judged AS (SELECT interaction_id FROM turns WHERE session_id IN (SELECT id FROM sessions) UNION "
        "SELECT interaction_id FROM begun), after AS (SELECT * FROM following SEMI JOIN judged USING (interaction_id)) "
        "SELECT interaction_id FROM judged UNION SELECT next_in_session FROM after WHERE next_in_session IS NOT NULL "
        "UNION SELECT next_of_user FROM after WHERE next_of_user IS NOT NULL"
    ).to_arrow_table()
    return needed, targets, (span[0].date(), span[1].date())


def _touched(
    lake: Lake, engine: duckdb.DuckDBPyConnection, seeds: pa.Table, span: tuple[datetime, datetime]
) -> tuple[pa.Table, pa.Table]:
    """The sessions that changed turns belong to or come right after, or used to, and their users; `begun` has the turns."""
    former = _as_they_were(lake, seeds, span)
    users = _ids(seeds.column("user_id"), former.column("user_id"))
    engine.register("now", _of_people(lake, _column(seeds, "session_id"), users, span, seeds))
    engine.register("former", former)
    engine.execute(
        "CREATE TABLE turns AS FROM now UNION ALL BY NAME (SELECT *, true AS is_request FROM former EXCEPT SELECT "
        f"{', '.join(_TURN_COLUMNS)}, true FROM now)"
    )
    engine.execute(f"CREATE TABLE following AS {_NEXT}")
    engine.execute(
        "CREATE TABLE begun AS SELECT interaction_id, session_id FROM seeds UNION "
        "SELECT interaction_id, session_id FROM following WHERE next_in_session IN (SELECT interaction_id FROM seeds) "
        "OR next_of_user IN (SELECT interaction_id FROM seeds)"
    )
    sessions = engine.sql(
        "SELECT session_id AS id FROM (FROM begun UNION ALL BY NAME FROM former) WHERE session_id IS NOT NULL GROUP BY ALL"
    ).to_arrow_table()
    engine.register("sessions", sessions)
    users = engine.sql(
        "SELECT DISTINCT user_id AS id FROM turns WHERE user_id IS NOT NULL AND (session_id IN (SELECT id FROM sessions) "
        "OR interaction_id IN (SELECT interaction_id FROM begun))"
    ).to_arrow_table()
    engine.execute("DROP TABLE following; DROP TABLE turns")
    return sessions, users


def _as_they_were(lake: Lake, seeds: pa.Table, span: tuple[datetime, datetime]) -> pa.Table:
    """Every revision of amended turns: what was found of whom they followed, and of their sessions, may no longer hold."""
    amended = seeds.filter(pc.greater(seeds.column("revision"), pa.scalar(0)))
    if amended.num_rows == 0:
        return _NO_TURNS
    days = (span[0].date(), span[1].date())
    revisions = lake.rows_with("interactions", "interaction_id", _column(amended, "interaction_id"), dates=days)
    rows: pa.Table = revisions.select(*_TURN_COLUMNS).distinct().to_pyarrow()
    return rows


def _reach(lake: Lake, sessions: pa.Table, first: datetime, last: datetime) -> list[datetime]:
    """When the turns of these sessions began, the first and the last of all; none where there is no turn."""
    if sessions.num_rows == 0:
        return []
    days = ((first - LONGEST_SESSION).date(), (last + LONGEST_SESSION).date())
    rows = lake.rows_with("interactions", "session_id", sessions, dates=days)
    extent = rows.aggregate(first=rows.started_at.min(), last=rows.started_at.max()).to_pyarrow().to_pylist()[0]
    return [at for at in extent.values() if at is not None]


def _column(rows: pa.Table, name: str) -> pa.Table:
    return _ids(rows.column(name))


def _of_people(lake: Lake, sessions: pa.Table, users: pa.Table, span: tuple[datetime, datetime], seeds: pa.Table) -> pa.Table:
    """Every turn of these sessions and users that started within a span of time, without its words.

    A changed turn that lost its words counts as a request here, so that the one before it is judged anew.
    """
    days = (span[0].date(), span[1].date())
    found = [
        lake.ids_with("interactions", who, ids, dates=days).column(0)
        for who, ids in (("session_id", sessions), ("user_id", users))
        if ids.num_rows
    ]
    rows = lake.current("interactions", ids=_ids(*found), dates=days)
    rows = rows.filter(rows.started_at.between(*span))
    is_thin = ~rows.content_sampled.fill_null(True)  # its words were sampled out, but it was a turn
    turns: pa.Table = rows.select(*_TURN_COLUMNS, is_request=rows.prompt_text.notnull() | is_thin).to_pyarrow()
    is_seed = pc.is_in(turns.column("interaction_id"), pa.array(seeds.column("interaction_id").to_pylist(), pa.string()))
    at = turns.schema.get_field_index("is_request")
    return turns.set_column(at, "is_request", pc.or_(turns.column("is_request"), is_seed))
