"""follow_up_depth: how many turns a session went on after its first. A count; of the session, once it is over. Implicit.

Steps of a program within one turn, which share trace and words, count once. 0 is a session of one turn; whether that is a good
end or a bad one, this does not say. Irvine et al. (arXiv 2303.06135) trained for longer conversations, which is to say for
company.
"""

import ibis
import ibis.expr.types as ir

from penstock.records.signal import SignalKind
from penstock.signals.definition import ExpressionDefinition, Tables
from penstock.signals.session_ends import conversation, quiet_since


def _select(tables: Tables) -> ir.Table:
    asked = conversation(tables.interactions)
    words = asked.trace_id.concat(asked.prompt_text.fill_null("")).hexdigest("md5")
    sessions = asked.group_by("session_id").aggregate(turns=words.nunique(), calls=asked.count(), last=asked.ended_at.max())
    over = sessions.filter(sessions["last"] <= quiet_since(tables))
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
    name="follow_up_depth", version=2, source="interactions", select=_select, awaits_quiet=True
)
