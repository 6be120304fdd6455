"""What is said of each function, against the rates that it was drawn with."""

import pytest

from penstock.labels.function_report import report_functions
from penstock.labels.label_model import fit_model
from tests.labels.simulated_patterns import BOTH, ORDERED, SINGLE, Simulated


@pytest.fixture(scope="module")
def reports():
    patterns, _ = Simulated(audited=0.01).patterns()
    return {one.function: one for one in report_functions(patterns, ORDERED, fit_model(patterns, ORDERED).parameters)}


def test_coverage_is_the_share_of_interactions_voted_on(reports):
    bad, good = SINGLE["copied"]
    assert reports["copied"].coverage == pytest.approx(0.3 * bad + 0.7 * good, abs=0.01)
    assert reports["likely_completed"].coverage == 0.0


def test_rates_in_each_class_are_near_those_drawn(reports):
    _, on_good, on_bad = BOTH["completed", "not_completed"]
    assert reports["completed"].right_on_good == pytest.approx(on_good, abs=0.05)
    assert reports["completed"].right_on_bad == pytest.approx(on_bad, abs=0.05)
    assert reports["not_completed"].right_on_good == reports["completed"].right_on_good
    assert reports["complained"].right_on_bad == pytest.approx(SINGLE["complained"][0], abs=0.04)
    assert reports["complained"].right_on_good == pytest.approx(1 - SINGLE["complained"][1], abs=0.02)


def test_precision_by_the_model_and_by_people_agree(reports):
    for name in ("copied", "accepted", "completed"):
        one = reports[name]
        assert one.audited > 30
        assert one.audited_low < one.audited_precision < one.audited_high
        assert one.precision == pytest.approx(one.audited_precision, abs=0.12)


def test_conflict_is_the_share_of_votes_that_another_contradicts(reports):
    assert 0.1 < reports["copied"].conflict < 0.5
    assert reports["complained"].conflict > 0.2
    assert reports["likely_completed"].conflict is None


def test_functions_that_count_as_one_name_each_other():
    simulated = Simulated()
    for original, copy in (("completed", "retained"), ("not_completed", "discarded")):
        place = next(place for place, one in enumerate(ORDERED) if one.name == original)
        simulated.add(copy, (simulated.fired >> place & 1) == 1)
    patterns, _ = simulated.patterns()
    found = {one.function: one for one in report_functions(patterns, ORDERED, fit_model(patterns, ORDERED).parameters)}
    assert found["completed"].merged_with == ["retained", "discarded"]
    assert found["discarded"].merged_with == ["completed", "not_completed"]
    assert found["copied"].merged_with == []
