"""When the worker fits label models, and what it does in between."""

from datetime import timedelta

import msgspec
import pytest

from penstock.app import Penstock
from penstock.errors import ConfigurationError
from penstock.labels.run import current_labels
from penstock.records.clock import WriterClock
from penstock.settings import LabellingFunctionSettings, LabelModelSettings
from penstock.worker.label_model import RETRY, Modelling, functions_in_force, is_due
from penstock.worker.leased_lake import LEASE
from penstock.worker.reading import Reading
from tests.labels.test_model_run import MUCH_LATER, fill
from tests.registry.test_label_models import MODEL
from tests.rows import make_signal


@pytest.fixture
def lake(empty_lake):
    return empty_lake


class Days:
    """The time, as a test moves it."""

    now = MUCH_LATER

    def __call__(self):
        return self.now


@pytest.fixture
def days():
    return Days()


@pytest.fixture
def modelling(registry, settings, days):
    return Modelling(registry, settings, WriterClock(days), days)


def written(lake):
    labels = current_labels(lake.current("labels"))
    return labels.filter(labels.annotator == "label-model@1").count().to_pyarrow().as_py()


def test_a_model_is_fitted_where_there_is_none_when_it_is_old_or_when_traffic_has_doubled():
    fitted, day = MODEL.fitted_at, timedelta(hours=24)
    assert is_due(None, 0, 24.0, fitted)
    assert not is_due(MODEL, 0, 24.0, fitted + day / 2)
    assert is_due(MODEL, 0, 24.0, fitted + day)
    assert is_due(MODEL, MODEL.voted, 24.0, fitted + day / 2)


def test_what_comes_between_fits_is_labelled_by_the_last(lake, registry, modelling, days):
    fill(lake, 600)
    modelling.step(lake)
    (first,) = registry.label_models.list("good")
    before = written(lake)
    fill(lake, 60, first=600)
    days.now += timedelta(hours=1)
    modelling.step(lake)
    assert registry.label_models.list("good") == [first]
    assert before < written(lake) <= before + 60
    days.now += timedelta(hours=24)
    modelling.step(lake)
    assert len(registry.label_models.list("good")) == 2


def test_too_few_votes_are_no_failure_and_looked_at_again_later(lake, registry, modelling, days):
    modelling.step(lake)
    fill(lake, 600)
    modelling.step(lake)
    assert registry.label_models.list("good") == []
    days.now += RETRY
    modelling.step(lake)
    assert len(registry.label_models.list("good")) == 1


def test_a_dimension_of_ones_own_has_a_model_of_its_own(lake, registry, settings, days):
    mine = {
        name: LabellingFunctionSettings(signal=signal, votes=votes, dimension="safe", **limits)
        for name, signal, votes, limits in (
            ("safe_rated", "rating", "good", {"at_least": 0.5}),
            ("unsafe_rated", "rating", "bad", {"at_most": -0.5}),
            ("safe_kept", "acceptance", "good", {"at_least": 0.5}),
            ("unsafe_kept", "acceptance", "bad", {"at_most": 0.2}),
            ("safe_done", "edit", "good", {"at_most": 0.2}),
            ("unsafe_done", "edit", "bad", {"at_least": 0.5}),
        )
    }
    fill(lake, 600)
    Modelling(registry, msgspec.structs.replace(settings, labelling_functions=mine), WriterClock(days), days).step(lake)
    assert [schema.name for schema in registry.schemas.list()] == ["safe", "usefulness"]
    labels = current_labels(lake.current("labels"))
    assert set(labels.select("dimension").distinct().to_pyarrow().column(0).to_pylist()) == {"good", "safe"}
    assert len(registry.label_models.list("safe")) == 1


def test_functions_follow_the_settings(settings):
    left_out = msgspec.structs.replace(settings, label_model=LabelModelSettings(without=["copied"]))
    assert "copied" not in [one.name for one in functions_in_force(left_out)]
    wrong = {"mine": LabellingFunctionSettings(signal="ratng", votes="good", at_least=0.5)}
    with pytest.raises(ConfigurationError, match="no signal 'ratng'"):
        functions_in_force(msgspec.structs.replace(settings, labelling_functions=wrong))


def test_another_process_with_the_lease_models_alone(lake, registry, settings):
    fill(lake, 600)
    reading = Reading(Penstock(settings), "one")
    registry.leases.acquire(LEASE, "another", 3600.0, MUCH_LATER + timedelta(days=3650))
    assert not reading.model()
    registry.leases.release(LEASE, "another")
    assert reading.model()
    assert written(lake) > 0


def test_a_signal_that_no_function_reads_changes_nothing(lake, registry, modelling):
    turns, _ = fill(lake, 600)
    modelling.step(lake)
    before = written(lake)
    lake.append("signals", [make_signal("dwell", turns[0], 30.0)])
    modelling.step(lake)
    assert written(lake) == before
