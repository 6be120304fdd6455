"""An evaluation becomes the same feedback, whether it came as a log event, as an event of the span or as an annotation on it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from penstock.formats.aliases import real_of, text_of
from penstock.ingest.attribute_length import cut_before_redaction
from penstock.records.feedback import Feedback, TargetKind
from penstock.records.ids import feedback_id

EVALUATION_EVENT = "gen_ai.evaluation.result"
_NAME, _SCORE, _LABEL = "gen_ai.evaluation.name", "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label"
_EXPLANATION = "gen_ai.evaluation.explanation"


def evaluation(
    said: Mapping[str, Any], target: tuple[TargetKind, str], identity: str, occurred_at: datetime, known_at: datetime
) -> Feedback:
    """The report that an evaluation's attributes are; what identity names twice is one report."""
    score, key = said.get(_SCORE), f"otlp:{identity}"
    metadata = {name: text for name, value in said.items() if name != _SCORE and (text := text_of(value)) is not None}
    name = metadata.pop(_NAME, "evaluation")
    explanation, label = metadata.pop(_EXPLANATION, None), metadata.pop(_LABEL, None)
    if label is not None:
        metadata["label"] = label
    return Feedback(
        feedback_id=feedback_id(key),
        target_kind=str(target[0]),
        target_id=target[1],
        name=name,
        value=float(score) if isinstance(score, bool) else real_of(score),
        text=explanation if explanation is not None else label,
        occurred_at=occurred_at,
        known_at=known_at,
        source="otlp",
        idempotency_key=key,
        metadata=cut_before_redaction(metadata),
    )
