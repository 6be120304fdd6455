"""follow_up_depth: how many turns a session went on after its first. A count; of the session, once it is over. Implicit.

Steps of a program within one turn, which share trace and words, count once. 0 is a session of one turn; whether that is a good
end or a bad one, this does not say.
"""

from datetime import timedelta

import ibis
import ibis.expr.types as ir

from penstock.records.signal import SignalKind
from penstock.signals.definition import SESSION_QUIET_S, ExpressionDefinition, Tables


def _select(tables: Tables) -> ir.Table:
    turns = tables.interactions
    is_thin = ~turns.content_sampled.fill_null(True)
    asked = turns.filter(turns.session_id.notnull(), turns.prompt_text.notnull() | is_thin)
    words = asked.trace_id.concat(asked.prompt_text.fill_null("")).hexdigest("md5")
    sessions = asked.group_by("session_id").aggregate(turns=words.nunique(), calls=asked.count(), last=asked.ended_at.max())
    over = sessions.filter(sessions["last"] <= tables.as_of - timedelta(seconds=SESSION_QUIET_S))
    return over.select(
        "session_id",
        target_kind=ibis.literal("session"),
        target_id=over.session_id,
        name=ibis.literal("follow_up_depth"),
        kind=ibis.literal(SignalKind.IMPLICIT.value),
        value=(over.turns - 1).cast("float64"),
        occurred_at=over["last"],
        source=ibis.literal("behaviour"),
        evidence_calls=over.calls.cast("string"),
    )


FOLLOW_UP_DEPTH = ExpressionDefinition(
    name="follow_up_depth", version=1, source="interactions", select=_select, awaits_quiet=True
)
