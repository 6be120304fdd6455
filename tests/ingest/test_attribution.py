"""Windows and rules, held against a plain statement of them."""

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.ingest.attribution import OutcomeDefinition, attribute, outcome_definitions
from penstock.ingest.key_touches import TOUCHES
from penstock.outcome_settings import OutcomeSettings
from tests.rows import T0

HOUR = timedelta(hours=1)
Decided = dict[str, tuple[str, dict[str, float]]]


def decide(rule: str, reports: dict[str, tuple[str, float]], touches: dict[str, tuple[str, float]], **given: Any) -> Decided:
    """Reports and interactions by id, each with the value of its key and the hour at which it was."""
    settings = OutcomeSettings(keys=["ticket"], rule=rule, window_h=given.pop("window_h", 24.0), **given)  # type: ignore[arg-type]
    told = [
        {"feedback_id": name, "target_key": "ticket", "target_id": key, "occurred_at": T0 + hour * HOUR}
        for name, (key, hour) in reports.items()
    ]
    seen = [
        {"target_key": "ticket", "target_id": key, "interaction_id": name, "session_id": f"of {name}",
         "started_at": T0 + hour * HOUR, "exposure": "served"}
        for name, (key, hour) in touches.items()
    ]  # fmt: skip
    schema = pa.schema([
        ("feedback_id", pa.string()), ("target_key", pa.string()), ("target_id", pa.string()),
        ("occurred_at", pa.timestamp("us", "UTC")),
    ])  # fmt: skip
    found = attribute(
        OutcomeDefinition(name="outcome.solved", settings=settings),
        pa.Table.from_pylist(told, schema),
        pa.Table.from_pylist(seen, TOUCHES),
    )
    return {
        row["feedback_id"]: (
            row["status"],
            {row["interaction_id"]: 1.0} if row["interaction_id"] else row["attribution"] or {},
        )
        for row in found.to_pylist(maps_as_pydicts="strict")
    }


FOUR = {"a": ("7", 0.0), "b": ("7", 6.0), "c": ("7", 12.0), "later": ("7", 30.0), "other": ("8", 12.0)}


@pytest.mark.parametrize(
    ("rule", "weights"),
    [
        ("last", {"c": 1.0}),
        ("first", {"a": 1.0}),
        ("all", {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
        ("decay", {"a": 1 / 7, "b": 2 / 7, "c": 4 / 7}),
    ],
)
def test_each_rule_shares_an_outcome_among_the_interactions_of_its_window(rule: str, weights: dict[str, float]) -> None:
    found = decide(rule, {"solved": ("7", 20.0)}, FOUR, half_life_h=6.0)
    assert found == {"solved": ("attributed", pytest.approx(weights))}


def test_what_began_before_the_window_or_after_the_outcome_has_no_share() -> None:
    assert decide("all", {"solved": ("7", 20.0)}, FOUR, window_h=8.0) == {"solved": ("attributed", {"c": 1.0})}
    assert decide("all", {"solved": ("7", 20.0)}, FOUR, window_h=7.9) == {}


def test_of_several_reports_the_last_one_that_the_window_explains_counts() -> None:
    reports = {"solved": ("7", 5.0), "reopened": ("7", 20.0), "much too late": ("7", 500.0)}
    assert decide("last", reports, FOUR) == {"reopened": ("attributed", {"c": 1.0}), "solved": ("superseded", {})}


def test_weights_do_not_vanish_however_old_everything_is() -> None:
    found = decide("decay", {"solved": ("7", 9000.0)}, {"a": ("7", 0.0), "b": ("7", 1.0)}, window_h=10_000.0, half_life_h=0.5)
    assert found["solved"][1] == pytest.approx({"a": 0.2, "b": 0.8})


def test_a_definition_is_another_one_when_it_attributes_otherwise_and_not_when_it_is_read_otherwise() -> None:
    one, same, other = (
        outcome_definitions({"solved": OutcomeSettings(keys=["ticket"], **given)})[0].mark  # type: ignore[arg-type]
        for given in ({}, {"good": "low", "mature_after_h": 5.0}, {"window_h": 5.0})
    )
    assert one == same != other


hours = st.integers(0, 60)
keys = st.sampled_from("78")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(keys, hours), max_size=6),
    st.lists(st.tuples(keys, hours), max_size=6),
    st.sampled_from(["last", "first", "all", "decay"]),
    st.integers(1, 30),
)
def test_it_says_what_a_plain_reading_of_the_rules_says(
    told: list[tuple[str, int]], seen: list[tuple[str, int]], rule: str, window_h: int
) -> None:
    reports = {f"f{number}": (key, float(hour)) for number, (key, hour) in enumerate(told)}
    touches = {f"i{number}": (key, float(hour)) for number, (key, hour) in enumerate(seen)}
    found = decide(rule, reports, touches, window_h=float(window_h), half_life_h=6.0)
    assert found == {name: (status, pytest.approx(given)) for name, (status, given) in plainly(rule, reports, touches, window_h)}
    assert all(sum(weights.values()) == pytest.approx(1.0) for status, weights in found.values() if status == "attributed")


def plainly(
    rule: str, reports: dict[str, tuple[str, float]], touches: dict[str, tuple[str, float]], window_h: float
) -> list[tuple[str, tuple[str, dict[str, float]]]]:
    within = {
        name: sorted((at, one) for one, (key, at) in touches.items() if key == report[0] and 0 <= report[1] - at <= window_h)
        for name, report in reports.items()
    }
    explained = {name: (reports[name][1], name) for name in reports if within[name]}
    found: list[tuple[str, tuple[str, dict[str, float]]]] = []
    for name, place in explained.items():
        if place < max(other for one, other in explained.items() if reports[one][0] == reports[name][0]):
            found.append((name, ("superseded", {})))
            continue
        if rule == "last":
            shares = {within[name][-1][1]: 1.0}
        elif rule == "first":
            shares = {within[name][0][1]: 1.0}
        else:
            shares = {one: 1.0 if rule == "all" else 0.5 ** ((reports[name][1] - at) / 6.0) for at, one in within[name]}
        found.append((name, ("attributed", {one: share / sum(shares.values()) for one, share in shares.items()})))
    return found
