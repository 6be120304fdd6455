"""feedback: what the user's next message says of the answer, -1 (wrong) to 1 (praise), by what it says. Implicit.

Worked out from the next request of the same session: the same again (UR1), wrong and how (UR2), wrong (UR3), asked to clarify
(UR4), praise (UR5); codes of Don-Yehiya et al., arXiv 2407.10944. An unsure cue counts half. Praise is recorded and trains
nothing by itself: where it was looked at densely (Liu, Zhang and Choi, arXiv 2507.23158), what drew praise was slightly worse and
more toxic than what did not, and even models told the codes apart for one message in two.
"""

from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from penstock.records.signal import SignalKind
from penstock.signals.definition import BatchDefinition, Tables
from penstock.signals.feedback_cues import Code
from penstock.signals.feedback_reading import read_feedback
from penstock.signals.next_turn import next_turns

NAME = "feedback"
SURE, UNSURE = "sure", "unsure"
VALUES = {Code.REPEAT: -0.5, Code.CORRECTION: -1.0, Code.COMPLAINT: -1.0, Code.CLARIFICATION: -0.2, Code.PRAISE: 1.0}
UNSURE_SHARE = 0.5  # of the value, where the cue is unsure


def _select(tables: Tables) -> ibis.Table:
    """Every request with the next of its session."""
    return next_turns(tables.interactions)


def _judge(batch: pa.RecordBatch) -> pa.RecordBatch:
    """What the next messages say, where they say something."""
    reading = read_feedback(batch.column("prompt_text"), batch.column("next_prompt_text"))
    found: Any = {
        "target_kind": pa.repeat("interaction", batch.num_rows),
        "target_id": batch.column("interaction_id"),
        "interaction_id": batch.column("interaction_id"),
        "session_id": batch.column("session_id"),
        "name": pa.repeat(NAME, batch.num_rows),
        "kind": pa.repeat(SignalKind.IMPLICIT.value, batch.num_rows),
        "value": values_of(reading.code, reading.is_sure),
        "occurred_at": batch.column("next_started_at"),
        "source": pa.repeat("behaviour", batch.num_rows),
        "evidence_code": reading.code,
        "evidence_cue": reading.cue,
        "evidence_certainty": pc.if_else(reading.is_sure, SURE, UNSURE),
        "evidence_also": reading.also,
        "evidence_next_interaction_id": batch.column("next_interaction_id"),
    }
    rows = pa.RecordBatch.from_arrays(list(found.values()), names=list(found))
    return rows.filter(reading.code.is_valid())


def values_of(code: "pa.Array[Any]", is_sure: "pa.Array[Any]") -> "pa.Array[Any]":
    """The signal's values for these codes."""
    place: Any = pc.index_in(code, pa.array([one.value for one in VALUES]))
    whole: Any = pa.array(list(VALUES.values()), pa.float64()).take(place)
    values: pa.Array[Any] = pc.if_else(is_sure, whole, pc.multiply(whole, pa.scalar(UNSURE_SHARE)))
    return values


# The first version is what other_feedback is called now.
FEEDBACK = BatchDefinition(name=NAME, version=3, source="interactions", select=_select, judge=_judge)
