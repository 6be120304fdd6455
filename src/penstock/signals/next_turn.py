"""What was asked next in the same session, after an answer that could be judged: what people say of an answer stands there.

Next means next of the same application, prompt and exposure, so that what an agent does on the side stands between no two turns.
Within one trace the same words are a program's second step, not a person's. A request whose words were sampled out is a turn all
the same, only with nothing to read. An answer that failed, or asked for a tool, is none that anybody speaks of.
"""

import ibis

from penstock.signals.definition import RETURN_WITHIN_S

MOST_CHARACTERS = 4_000  # of a request that are read
TOOL_CALLS = ("tool_call", "tool_calls", "tool-calls", "function_call")
_OF_NEXT = ("interaction_id", "trace_id", "prompt_text", "started_at")


def next_turns(interactions: ibis.Table) -> ibis.Table:
    """Every answered request of a session with the next one there, where that began within a day of it."""
    is_thin = ~interactions.content_sampled.fill_null(True)
    asked = interactions.filter(interactions.session_id.notnull(), interactions.prompt_text.notnull() | is_thin)
    same = [asked.session_id, asked.application.fill_null(""), asked.prompt_name.fill_null(""), asked.exposure]
    window = ibis.window(group_by=same, order_by=[asked.started_at, asked.interaction_id])
    pairs = asked.select(
        "interaction_id", "session_id", "trace_id", "prompt_text", "started_at", "error_type", "finish_reason",
        **{f"next_{name}": asked[name].lead(1).over(window) for name in _OF_NEXT},
    )  # fmt: skip
    within = ibis.interval(microseconds=int(RETURN_WITHIN_S * 1_000_000))
    chosen = pairs.filter(
        pairs.prompt_text.notnull() & pairs.next_prompt_text.notnull(),
        pairs.next_started_at <= pairs.started_at + within,
        pairs.error_type.isnull(),
        ~pairs.finish_reason.isin(TOOL_CALLS).fill_null(False),
        (pairs.trace_id != pairs.next_trace_id) | (pairs.prompt_text != pairs.next_prompt_text),
    )
    return chosen.select(
        "interaction_id",
        "session_id",
        "next_interaction_id",
        "next_started_at",
        prompt_text=chosen.prompt_text.substr(0, MOST_CHARACTERS),
        next_prompt_text=chosen.next_prompt_text.substr(0, MOST_CHARACTERS),
    )
