"""Label models are kept, and the newest of a dimension is the one in use."""

from datetime import timedelta

import msgspec

from penstock.records.label_model import LabelModel
from penstock.registry.registry import Registry
from tests.registry.examples import NOON

MODEL = LabelModel(
    label_model_id="lm_1",
    dimension="good",
    method="dawid_skene",
    functions="abc",
    parameters="{}",
    interactions=100,
    voted=80,
    audited=0,
    fitted_at=NOON,
)


def test_the_newest_of_a_dimension_is_the_one_in_use(registry: Registry) -> None:
    later = msgspec.structs.replace(MODEL, label_model_id="lm_0", fitted_at=NOON + timedelta(hours=1))
    other = msgspec.structs.replace(MODEL, label_model_id="lm_2", dimension="polite", fitted_at=NOON + timedelta(hours=2))
    for model in (later, MODEL, other):
        registry.label_models.put(model)
    assert registry.label_models.newest("good") == later
    assert registry.label_models.list("good") == [MODEL, later]
    assert registry.label_models.newest("funny") is None


def test_the_same_model_may_be_put_again(registry: Registry) -> None:
    assert registry.label_models.put(MODEL) == registry.label_models.put(MODEL)
