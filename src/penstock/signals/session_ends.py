"""Sessions that are over: the last turn of each, and the next request that its user made in another.

A session is over when nothing has been heard of it for SESSION_QUIET_S; it may go on all the same, and is then not over for a
while. Shadows and judges speak in no conversation.
"""

from collections.abc import Callable, Mapping
from typing import Any

import ibis

from penstock.records.interaction import Exposure
from penstock.signals.definition import RETURN_WITHIN_S, SESSION_QUIET_S, Tables
from penstock.signals.next_turn import requests

_ASIDE = (Exposure.SHADOW.value, Exposure.JUDGE.value)
ASKED_CHARACTERS = 1_000  # of each request
EARLIER_REQUESTS = 3  # of a session, before the last one
_OF_NEXT = ("interaction_id", "session_id", "started_at", "asked")
_TURN = ("interaction_id", "session_id", "user_id", "started_at", "ended_at")


def in_sessions(interactions: ibis.Table) -> ibis.Table:
    """What belongs to a session, without what shadows and judges said beside it."""
    return interactions.filter(interactions.session_id.notnull(), ~interactions.exposure.isin(_ASIDE))


def conversation(interactions: ibis.Table) -> ibis.Table:
    """The turns of sessions in which somebody asked something, with their words or without."""
    return requests(in_sessions(interactions))


def last_turns(tables: Tables, columns: Mapping[str, Callable[[ibis.Table], ibis.Value]]) -> ibis.Table:
    """One row per session that is over: its last turn with these columns, how many `turns` it had, when it ended (`over_at`).

    `next_*` are the id, start and words of what its user asked next, within a day of the last request and in another session;
    NULL where the user is not known or has not come back. A request to another application, or for another prompt, is no
    return. `asked` is the last request, `asked_1` the one before it, and so on.
    """
    turns = conversation(tables.interactions)
    asked = turns.select(
        *_TURN,
        "exposure",
        application=turns.application.fill_null(""),
        prompt_name=turns.prompt_name.fill_null(""),
        asked=turns.prompt_text.left(ASKED_CHARACTERS),
        **{name: column(turns) for name, column in columns.items()},
    )
    same = ["user_id", "application", "prompt_name", "exposure"]
    of_user = ibis.window(group_by=same, order_by=[asked.started_at, asked.interaction_id])
    of_session = ibis.window(group_by="session_id", order_by=[asked.started_at.desc(), asked.interaction_id.desc()])
    whole_session = ibis.window(group_by="session_id")
    numbered = asked.mutate(
        place=ibis.row_number().over(of_session),
        turns=asked.interaction_id.count().over(whole_session),
        over_at=asked.ended_at.max().over(whole_session),
        **{f"asked_{back}": asked.asked.lead(back).over(of_session) for back in range(1, EARLIER_REQUESTS + 1)},
        **{f"next_{name}": asked[name].lead(1).over(of_user) for name in _OF_NEXT},
    )
    over = numbered.filter(numbered.place == 0, numbered.over_at <= quiet_since(tables))
    within = ibis.interval(microseconds=int(RETURN_WITHIN_S * 1_000_000))
    is_return = (
        over.user_id.notnull() & (over.next_session_id != over.session_id) & (over.next_started_at <= over.started_at + within)
    ).fill_null(False)
    return over.mutate(**{f"next_{name}": is_return.ifelse(over[f"next_{name}"], None) for name in _OF_NEXT}).drop(
        "place", "exposure", "application", "prompt_name", "next_session_id"
    )


def quiet_since(tables: Tables) -> Any:
    """What ended by then is over, unless its session went on."""
    return tables.as_of - ibis.interval(microseconds=int(SESSION_QUIET_S * 1_000_000))
