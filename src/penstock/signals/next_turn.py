"""What was asked next in the same session, after an answer that could be judged: what people say of an answer stands there.

Next means next of the same application, prompt and exposure, so that what an agent does on the side stands between no two turns.
Within one trace, or before anybody can have read the answer, the same words are a program's, not a person's. A request whose
words were sampled out is a turn all the same, only with nothing to read. An answer that failed, or asked for a tool, is none that
anybody speaks of.
"""

from collections.abc import Sequence

import ibis

from penstock.signals.definition import RETURN_WITHIN_S

LEAST_GAP_S = 2.0  # a person has to see the answer before asking again
MOST_CHARACTERS = 4_000  # of a request that are read
TOOL_CALLS = ("tool_call", "tool_calls", "tool-calls", "function_call")
OF_NEXT = ("interaction_id", "trace_id", "prompt_text", "started_at")


def next_turns(interactions: ibis.Table) -> ibis.Table:
    """Every answered request of a session with the next one there, where that began within a day of it."""
    asked = requests(interactions)
    pairs = asked.select(
        "interaction_id", "session_id", "trace_id", "prompt_text", "started_at", "ended_at", "error_type", "finish_reason",
        **{f"next_{name}": value for name, value in next_by(asked, "session_id").items()},
    )  # fmt: skip
    within = ibis.interval(microseconds=int(RETURN_WITHIN_S * 1_000_000))
    least_gap = ibis.interval(microseconds=int(LEAST_GAP_S * 1_000_000))
    is_network = (pairs.prompt_text == pairs.next_prompt_text) & (pairs.next_started_at < pairs.ended_at + least_gap)
    chosen = pairs.filter(
        pairs.next_started_at <= pairs.started_at + within, ~is_network.fill_null(False), *speaks_of_an_answer(pairs)
    )
    return chosen.select(
        "interaction_id",
        "session_id",
        "next_interaction_id",
        "next_started_at",
        prompt_text=chosen.prompt_text.substr(0, MOST_CHARACTERS),
        next_prompt_text=chosen.next_prompt_text.substr(0, MOST_CHARACTERS),
    )


def requests(interactions: ibis.Table) -> ibis.Table:
    """The interactions in which somebody asked something."""
    is_thin = ~interactions.content_sampled.fill_null(True)
    return interactions.filter(interactions.prompt_text.notnull() | is_thin)


def next_by(asked: ibis.Table, who: str, columns: Sequence[str] = OF_NEXT) -> dict[str, ibis.Value]:
    """Columns of the next request of the same `who`, a column of these requests; NULL where that is unknown."""
    # Without this all requests of unknown people would be one partition, which is sorted as a whole.
    known = ibis.ifelse(asked[who].notnull(), asked[who], asked.interaction_id)
    same = [known, asked[who].isnull(), asked.application.fill_null(""), asked.prompt_name.fill_null(""), asked.exposure]
    window = ibis.window(group_by=same, order_by=[asked.started_at, asked.interaction_id])
    return {name: asked[name].lead(1).over(window) for name in columns}


def speaks_of_an_answer(pairs: ibis.Table) -> list[ibis.Value]:
    """What must hold of a request and the next one, in columns `next_<name>`, for the second to say something of an answer."""
    return [
        pairs.prompt_text.notnull() & pairs.next_prompt_text.notnull(),
        pairs.error_type.isnull(),
        ~pairs.finish_reason.isin(TOOL_CALLS).fill_null(False),
        (pairs.trace_id != pairs.next_trace_id) | (pairs.prompt_text != pairs.next_prompt_text),
    ]
