"""The label schemas that ship with Penstock: what its own rules answer and training reads, and what people are asked."""

from collections.abc import Sequence

from penstock.errors import BadInputError
from penstock.records.label import Dimension, DimensionType, LabelSchema
from penstock.registry.registry import Registry

KEPT, REWARD = "kept", "reward"
GOOD = "good"

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

AUDIT = LabelSchema(
    name="audit",
    version=1,
    dimensions=(Dimension(name=GOOD, question="Was this a good answer?", type=DimensionType.BOOLEAN),),
)


def register_schema(registry: Registry) -> LabelSchema:
    """Put the schema into the registry; harmless to repeat."""
    return registry.schemas.put(RESPONSE_QUALITY)


def dimension_named(schemas: Sequence[LabelSchema], name: str) -> tuple[LabelSchema, Dimension]:
    """This dimension, of the newest version of a schema that has it; BadInputError names those that exist."""
    found = [(schema, one) for schema in schemas for one in schema.dimensions if one.name == name]
    if not found:
        known = sorted({one.name for schema in schemas for one in schema.dimensions})
        raise BadInputError(f"No label schema has the dimension {name!r}; there are {', '.join(known) or 'none at all'}.")
    return max(found, key=lambda pair: pair[0].version)
