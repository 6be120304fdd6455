"""The label schema that ships with Penstock: what its own rules answer, and what training reads."""

from penstock.records.label import Dimension, DimensionType, LabelSchema
from penstock.registry.registry import Registry

KEPT, REWARD = "kept", "reward"

RESPONSE_QUALITY = LabelSchema(
    name="response-quality",
    version=1,
    dimensions=(
        Dimension(name=KEPT, question="Did the user keep this response, by accepting or copying it?", type=DimensionType.BOOLEAN),
        Dimension(
            name=REWARD,
            question="What was showing this response worth, by the reward rule in force?",
            type=DimensionType.NUMBER,
        ),
    ),
)


def register_schema(registry: Registry) -> LabelSchema:
    """Put the schema into the registry; harmless to repeat."""
    return registry.schemas.put(RESPONSE_QUALITY)
