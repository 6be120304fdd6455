"""What a run of the definitions looks at: the targets whose signals may have changed, and the rows these follow from."""

from datetime import datetime, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from penstock.lake.lake import Lake
from penstock.lake.selection import among, ids_of_any
from penstock.records.clock import utc_now
from penstock.records.feedback import FeedbackStatus
from penstock.signals.definition import Tables

FEEDBACK_COLUMNS = ("feedback_id", "interaction_id", "session_id", "status", "revision")
INTERACTION_COLUMNS = ("interaction_id", "session_id", "user_id", "started_at")

_PEOPLE = ["interaction_id", "session_id", "user_id"]

# How far around a changed interaction its neighbours may start: the longest answer that a retry may follow.
_NEIGHBOURHOOD = timedelta(hours=1)


class Scope(Struct, frozen=True, kw_only=True):
    """Targets whose signals are worked out anew; whatever they have that is not found again no longer holds."""

    by_report: frozenset[str]  # interactions and sessions that reports may be about
    by_behaviour: frozenset[str]  # interactions whose neighbours may have changed
    tables: Tables


def find_scope(lake: Lake, interactions: pa.Table, feedback: pa.Table, exposures: tuple[str, ...] | None) -> Scope:
    """The targets that these new rows of interactions and feedback touch."""
    matched = feedback.filter(pc.equal(feedback.column("status"), pa.scalar(FeedbackStatus.MATCHED.value)))
    changed = _values(interactions, "interaction_id")
    sessions = _values(matched.filter(pc.is_null(matched.column("interaction_id"))), "session_id")
    reported = changed | _values(matched, "interaction_id") | sessions | _left_behind(lake, feedback)
    behaving, neighbours = _neighbours(lake, interactions)
    if exposures is not None:
        neighbours = neighbours.filter(neighbours.exposure.isin(exposures))
    tables = Tables(reports=_reports(lake, reported, sessions), interactions=neighbours, as_of=utc_now())
    return Scope(by_report=reported, by_behaviour=changed | behaving, tables=tables)


def _values(rows: pa.Table, column: str) -> frozenset[str]:
    return frozenset(value for value in pc.unique(rows.column(column)).to_pylist() if value)


def _left_behind(lake: Lake, feedback: pa.Table) -> frozenset[str]:
    """What reports that were settled anew used to be about: signals found there may no longer hold."""
    anew = feedback.filter(pc.greater(feedback.column("revision"), pa.scalar(1)))
    if anew.num_rows == 0:
        return frozenset()
    revisions = among(lake.revisions("feedback"), "feedback_id", _values(anew, "feedback_id"))
    before = revisions.filter(revisions.status == FeedbackStatus.MATCHED)
    about: pa.Table = before.select(target=ibis.coalesce(before.interaction_id, before.session_id)).to_pyarrow()
    return _values(about, "target")


def _neighbours(lake: Lake, changed: pa.Table) -> tuple[frozenset[str], ir.Table]:
    """Interactions that a changed one comes right after, and every one that comes right after these or a changed one.

    Right after in a session, or among what a user asks. Only these rows are read whole: a busy user costs what a quiet one does.
    """
    if changed.num_rows == 0:
        return frozenset(), lake.current("interactions", ids=[])
    starts: list[Any] = changed.column("started_at").to_pylist()
    earliest, latest = min(starts) - _NEIGHBOURHOOD, max(starts)
    identifiers = _values(changed, "interaction_id")
    # A changed request that lost its words stands between no two others any more; the one before it is still to be judged anew.
    before = _pairs(_of_same_people(lake, changed, earliest, latest), also=identifiers)
    preceding = _having(before, "next_id", identifiers)
    behaving = _values(preceding, "interaction_id")
    judged = pa.concat_tables([changed.select(_PEOPLE), preceding.select(_PEOPLE)], promote_options="permissive")
    after = _pairs(_of_same_people(lake, judged, earliest, latest + _NEIGHBOURHOOD))
    following = _values(_having(after, "interaction_id", identifiers | behaving), "next_id")
    days = (earliest.date(), (latest + _NEIGHBOURHOOD).date())
    return behaving, lake.current("interactions", ids=sorted(identifiers | behaving | following), dates=days)


def _pairs(rows: ir.Table, also: frozenset[str] = frozenset()) -> pa.Table:
    """Every request with the next of its session and the next of its user, each in a row of its own; `also` count as requests."""
    columns = (*_PEOPLE, "application", "prompt_name", "exposure", "started_at")
    named = ibis.memtable(pa.table({"named_id": pa.array(sorted(also), pa.string())}))
    joined = rows.left_join(named, rows.interaction_id == named.named_id)
    is_thin = ~joined.content_sampled.fill_null(True)  # its words were sampled out, but it was a turn
    requests = joined.filter(joined.prompt_text.notnull() | is_thin | joined.named_id.notnull()).select(*columns)
    found: pa.Table = _following(requests, "session_id").union(_following(requests, "user_id")).to_pyarrow()
    return found


def _following(requests: ir.Table, who: str) -> ir.Table:
    same = [requests[who], requests.application.fill_null(""), requests.prompt_name.fill_null(""), requests.exposure]
    window = ibis.window(group_by=same, order_by=[requests.started_at, requests.interaction_id])
    following = requests.mutate(next_id=requests.interaction_id.lead(1).over(window))
    return following.filter(following.next_id.notnull(), following[who].notnull()).select(*_PEOPLE, "next_id")


def _having(rows: pa.Table, column: str, values: frozenset[str]) -> pa.Table:
    return rows.filter(pc.is_in(rows.column(column), pa.array(sorted(values), pa.string())))


def _of_same_people(lake: Lake, rows: pa.Table, earliest: datetime, latest: datetime) -> ir.Table:
    """The interactions of the same sessions and users, started between two times."""
    days = (earliest.date(), latest.date())
    revisions = lake.revisions("interactions", dates=days)
    near = revisions.filter(revisions.started_at.between(earliest, latest))
    of_people = [among(near, who, _values(rows, who)) for who in ("session_id", "user_id")]
    current = lake.current("interactions", ids=ids_of_any(of_people, "interaction_id"), dates=days)
    return current.filter(current.started_at.between(earliest, latest))


def _reports(lake: Lake, targets: frozenset[str], sessions: frozenset[str]) -> ir.Table:
    """Matched feedback on these interactions and sessions, each with the text of the response it is about."""
    revisions = lake.revisions("feedback")
    on_sessions = among(revisions.filter(revisions.interaction_id.isnull()), "session_id", sessions)
    candidates = ids_of_any([among(revisions, "interaction_id", targets), on_sessions], "feedback_id")
    current = lake.current("feedback", ids=candidates)
    matched = current.filter(current.status == FeedbackStatus.MATCHED)
    about = lake.current("interactions", ids=sorted(targets)).select("interaction_id", "response_text")
    joined = matched.left_join(about, "interaction_id").drop("interaction_id_right")
    return joined.mutate(
        target_kind=ibis.ifelse(joined.interaction_id.notnull(), "interaction", "session"),
        target_id=ibis.coalesce(joined.interaction_id, joined.session_id),
    ).drop("target_key", "redactions", "date")
