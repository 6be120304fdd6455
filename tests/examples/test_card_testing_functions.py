"""Labelling functions vote on what stands together, never on what was blocked; an expert's finding is one more of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy
import pyarrow as pa
from examples.card_testing.attackers import PATTERNS
from examples.card_testing.expert import ANSWERS_AFTER, Expert, Task, describe
from examples.card_testing.features import NAMES
from examples.card_testing.functions import FRAUD, FUNCTIONS, HONEST, Function, vote

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def transactions(rows: list[dict[str, Any]]) -> pa.Table:
    usual = {
        **dict.fromkeys(NAMES, 50.0),
        "card_range": "c1",
        "merchant": "m1",
        "device": "d1",
        "network": "n1",
        "client": "c1",
        "issuer": "approved",
        "decision": "passed",
        "alerted": False,
        "seen_in_week": 1,
    }
    made = []
    for number, row in enumerate(rows):
        own = {"interaction_id": f"i{number}", "started_at": NOON + timedelta(minutes=number), "card": f"card-{number}"}
        made.append({**usual, "device": f"d{number}", "network": f"n{number}", **own, **row})
    return pa.Table.from_pylist(made)


def votes(functions: tuple[Function, ...], rows: list[dict[str, Any]], hours_later: float = 1) -> dict[str, list[str]]:
    return {
        name: sorted(found) for name, found in vote(functions, transactions(rows), NOON + timedelta(hours=hours_later)).items()
    }


def named(name: str) -> tuple[Function, ...]:
    return tuple(function for function in FUNCTIONS if function.name == name)


def test_many_cards_of_one_range_at_one_merchant_are_an_attack_and_blocked_ones_count_without_a_vote() -> None:
    rows = [{"account_age": 0.0, "decision": "blocked" if number < 4 else "passed"} for number in range(10)]
    assert votes(named("many_cards_of_one_range"), rows)["many_cards_of_one_range"] == [f"i{number}" for number in range(4, 10)]
    assert votes(named("many_cards_of_one_range"), rows[:5])["many_cards_of_one_range"] == []


def test_one_card_many_times_is_one_card() -> None:
    rows = [{"device": "shared", "card": "the one"} for _ in range(8)]
    assert votes(named("many_cards_on_one_device"), rows)["many_cards_on_one_device"] == []


def test_a_rush_with_few_declines_is_a_sale() -> None:
    few = [{"issuer": "declined" if number < 5 else "approved"} for number in range(60)]
    many = [{"issuer": "declined" if number % 2 else "approved"} for number in range(20)]
    assert votes(named("declines_together"), few)["declines_together"] == []
    assert len(votes(named("declines_together"), many)["declines_together"]) == 10


def test_quiet_waits_half_a_day_and_says_nothing_where_many_are_declined() -> None:
    calm, attacked = [{}], [{"issuer": "declined"} for _ in range(5)]
    assert votes(named("quiet"), calm, hours_later=2)["quiet"] == []
    assert votes(named("quiet"), calm, hours_later=13)["quiet"] == ["i0"]
    assert votes(named("quiet"), calm + attacked, hours_later=13)["quiet"] == []


def test_quiet_says_nothing_amid_what_was_blocked_but_for_cards_that_come_back() -> None:
    attacked = [{"decision": "blocked", "issuer": "not asked"} for _ in range(5)]
    assert votes(named("quiet"), [{}, *attacked], hours_later=13)["quiet"] == []
    assert votes(named("quiet"), [{"seen_in_week": 2}, *attacked], hours_later=13)["quiet"] == ["i0"]


def test_declines_within_one_range_or_one_client_name_what_was_approved_beside_them() -> None:
    rows = [{"issuer": "declined" if number < 4 else "approved", "account_age": 0.0} for number in range(6)]
    everyone = [f"i{number}" for number in range(6)]
    assert votes(named("declined_of_one_range"), rows)["declined_of_one_range"] == everyone
    assert votes(named("declined_with_one_client"), rows)["declined_with_one_client"] == everyone
    mixed = [{**row, "card_range": f"c{number}", "client": f"c{number}"} for number, row in enumerate(rows)]
    assert votes(named("declined_of_one_range"), mixed)["declined_of_one_range"] == []
    assert votes(named("declined_with_one_client"), mixed)["declined_with_one_client"] == []


def test_a_changed_function_is_another_definition() -> None:
    one, other = Function(name="x", vote=FRAUD, least=3), Function(name="x", vote=FRAUD, least=4)
    assert one.definition != other.definition
    assert one.definition.startswith("x@")
    assert {function.vote for function in FUNCTIONS} == {FRAUD, HONEST}


def test_every_pattern_can_be_described_by_a_function_that_runs() -> None:
    described = tuple(describe(number) for number in range(len(PATTERNS)))
    assert set(vote(described, transactions([{}]), NOON)) == {f"expert_{number}" for number in range(len(PATTERNS))}


def test_an_expert_answers_hours_later_and_finds_a_function_when_she_has_seen_enough() -> None:
    pattern_of = numpy.array([2, 2, 2, -1])
    expert = Expert(queue=[Task(f"i{number}", number, 0.5, asked_at=0.0) for number in range(4)])
    assert expert.answers(ANSWERS_AFTER - 1, pattern_of) == []
    answered = expert.answers(ANSWERS_AFTER, pattern_of)
    assert [is_fraud for _task, is_fraud in answered] == [True, True, True, False]
    assert [one.name for one in expert.findings] == ["expert_2"]
    assert expert.queue == []
