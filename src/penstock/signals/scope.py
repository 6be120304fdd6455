"""What a run looks at: the targets whose signals may have changed, and the interactions and reports that these follow from.

An interaction that is new or amended touches its whole session, and the request that its user made before it, with that one's
session.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from penstock.lake.lake import Lake
from penstock.lake.selection import distinct_ids
from penstock.records.feedback import SETTLED, FeedbackStatus
from penstock.signals.definition import SESSION_QUIET_S
from penstock.signals.reports import acceptance_reports
from penstock.signals.touched import Touched, touched_by

FEEDBACK_COLUMNS = ("feedback_id", "interaction_id", "session_id", "attribution", "status", "revision")
INTERACTION_COLUMNS = ("interaction_id", "session_id", "user_id", "started_at", "revision")

_DAY = timedelta(days=1)


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
    told = distinct_ids(matched.column("interaction_id"), of_sessions, _shares(matched), *_left_behind(lake, feedback))
    # The first revision of an interaction has no report that is not new as well.
    reported = distinct_ids(told.column(0), amended.column("interaction_id"))
    reports, shared = _reports_on(lake, reported)
    offers = _open_offers(lake, reports)
    touched = touched_by(lake, _together(interactions, offers))
    if _come_late(interactions, as_of):
        passed_over = _open_offers(lake, _reports_on(lake, touched.targets)[0])
        if passed_over.num_rows:
            reported = distinct_ids(reported.column(0), passed_over.column("interaction_id"))
            reports, shared = _reports_on(lake, reported)
    return Scope(
        reported=reported,
        reports=reports,
        shared=shared,
        behaving=touched.targets,
        turns=touched.turns,
        days=touched.days,
        since=touched.days[0] - _DAY if interactions.num_rows and not reported.num_rows else date.min,
    )


def scope_of_turns(lake: Lake, turns: pa.Table) -> Scope:
    """The sessions of these turns, with what was reported on either."""
    touched = touched_by(lake, turns)
    return _scope_of(lake, touched, touched.targets)


def scope_of_quiet(lake: Lake, turns: pa.Table) -> Scope:
    """Sessions that have gone quiet, of which these are the last turns; with the offers in them that have no verdict."""
    touched = touched_by(lake, turns)
    offers = _open_offers(lake, _reports_on(lake, touched.targets)[0])
    return _scope_of(lake, touched, distinct_ids(offers.column("interaction_id")))


def _scope_of(lake: Lake, touched: Touched, reported: pa.Table) -> Scope:
    reports, shared = _reports_on(lake, reported)
    return Scope(
        reported=reported,
        reports=reports,
        shared=shared,
        behaving=touched.targets,
        turns=touched.turns,
        days=touched.days,
        since=touched.days[0] - _DAY,
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


def _shares(feedback: pa.Table) -> "pa.ChunkedArray[Any]":
    """The interactions of reports that are about several."""
    chunks: list[Any] = feedback.column("attribution").chunks
    return pa.chunked_array([chunk.keys for chunk in chunks if chunk.null_count < len(chunk)], pa.string())


def _left_behind(lake: Lake, feedback: pa.Table) -> "Sequence[pa.ChunkedArray[Any]]":
    """What reports that were settled anew used to be about: signals found there may no longer hold."""
    anew = feedback.filter(pc.greater(feedback.column("revision"), pa.scalar(1)))
    if anew.num_rows == 0:
        return []
    revisions = lake.rows_with("feedback", "feedback_id", distinct_ids(anew.column("feedback_id")))
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
        offered = lake.select(_offered, "feedback", reports, indexed=True)
    return lake.select(_as_changes, "interactions", offered, indexed=True)


def _offered(feedback: ir.Table) -> ir.Table:
    told = feedback.filter(feedback.status == FeedbackStatus.MATCHED, feedback.interaction_id.notnull())
    fates = acceptance_reports(told.mutate(target_id=told.interaction_id))
    return fates.filter(fates.state == "offered").select("interaction_id").distinct()


def _as_changes(interactions: ir.Table) -> ir.Table:
    return interactions.select(*INTERACTION_COLUMNS)


def _of_whole_sessions(feedback: ir.Table) -> ir.Table:
    return feedback.filter(feedback.interaction_id.isnull()).select("feedback_id").distinct()


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
    whole_sessions = lake.select_with(_of_whole_sessions, "feedback", "session_id", reported)
    shared = lake.ids_with_key("feedback", "attribution", reported)
    reports = distinct_ids(on_interactions.column(0), whole_sessions.column(0), shared.column(0))
    return reports.rename_columns(["feedback_id"]), shared
