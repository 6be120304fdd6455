"""Sessions that are over: the last turn of each, and the next request that its user made in another.

A session is over when nothing has been heard of it for SESSION_QUIET_S; it may go on all the same, and is then not over for a
while. Shadows and judges speak in no conversation.
"""

from datetime import timedelta
from typing import Any

import ibis

from penstock.records.interaction import Exposure
from penstock.signals.definition import RETURN_WITHIN_S, SESSION_QUIET_S, Tables

_ASIDE = (Exposure.SHADOW.value, Exposure.JUDGE.value)
_TURN = ("interaction_id", "session_id", "user_id", "started_at", "ended_at")


def conversation(interactions: ibis.Table) -> ibis.Table:
    """The turns of sessions in which somebody asked something, with their words or without."""
    is_thin = ~interactions.content_sampled.fill_null(True)
    return interactions.filter(
        interactions.session_id.notnull(),
        ~interactions.exposure.isin(_ASIDE),
        interactions.prompt_text.notnull() | is_thin,
    )


def last_turns(tables: Tables) -> ibis.Table:
    """One row per session that is over: its last turn, how many (`turns`), when it ended (`over_at`), `next_*` of its user
    within a day of the last request.

    `next_interaction_id` and `next_started_at` are NULL where the user is not known or has not come back; a request to another
    application, or for another prompt, is no return.
    """
    asked = conversation(tables.interactions)
    same = [asked.user_id, asked.application.fill_null(""), asked.prompt_name.fill_null(""), asked.exposure]
    of_user = ibis.window(group_by=same, order_by=[asked.started_at, asked.interaction_id])
    of_session = ibis.window(group_by=asked.session_id, order_by=[asked.started_at.desc(), asked.interaction_id.desc()])
    turns = asked.select(
        *_TURN,
        place=ibis.row_number().over(of_session),
        turns=asked.interaction_id.count().over(ibis.window(group_by=asked.session_id)),
        over_at=asked.ended_at.max().over(ibis.window(group_by=asked.session_id)),
        **{f"next_{name}": asked[name].lead(1).over(of_user) for name in ("interaction_id", "session_id", "started_at")},
    )
    over = turns.filter(turns.place == 0, turns.over_at <= quiet_since(tables))
    within = ibis.interval(microseconds=int(RETURN_WITHIN_S * 1_000_000))
    is_return = (
        over.user_id.notnull() & (over.next_session_id != over.session_id) & (over.next_started_at <= over.started_at + within)
    ).fill_null(False)
    return over.select(
        *_TURN,
        "over_at",
        "turns",
        **{f"next_{name}": is_return.ifelse(over[f"next_{name}"], None) for name in ("interaction_id", "started_at")},
    )


def quiet_since(tables: Tables) -> Any:
    """What ended by then is over, unless its session went on."""
    return ibis.literal(tables.as_of - timedelta(seconds=SESSION_QUIET_S))
