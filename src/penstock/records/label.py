"""LabelSchema and Label: one verifiable question, and one answer to it; an answer is superseded, never overwritten."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

# An answer that was drawn less probably would stand for so many others that it alone would count.
LEAST_INCLUSION_PROBABILITY = 1e-6


class DimensionType(StrEnum):
    """What an answer looks like."""

    BOOLEAN = "boolean"  # value 0 or 1
    NUMBER = "number"


class Dimension(Struct, frozen=True, kw_only=True):
    """One verifiable question."""

    name: str
    question: str
    type: DimensionType
    minimum: float | None = None
    maximum: float | None = None


class LabelSchema(Struct, frozen=True, kw_only=True):
    """A versioned set of dimensions."""

    name: str
    version: int
    dimensions: tuple[Dimension, ...]


class AnnotatorKind(StrEnum):
    """Who answered."""

    PERSON = "person"
    JUDGE = "judge"
    PROGRAM = "program"


class Label(Struct, frozen=True, kw_only=True):
    """One row of `labels`."""

    label_id: str
    target_kind: str
    target_id: str
    interaction_id: str | None
    other_interaction_id: str | None = None
    target_part: str | None = None
    schema: str
    schema_version: int
    dimension: str
    value: float | None
    value_json: str | None = None
    probability: float | None = None
    annotator_kind: str  # an AnnotatorKind
    annotator: str  # for a program its rule, name@version
    task_id: str | None = None
    signal_ids: list[str] = field(default_factory=list)
    known_at: datetime
    supersedes: str | None = None
    rationale: str | None = None
    duration_ms: float | None = None
    inclusion_probability: float = 1.0
    stream: str = "learning"  # estimation or learning
    model_version: str | None = None
    prompt_version: str | None = None
    segment: str | None = None
    started_at: datetime  # of the interaction
