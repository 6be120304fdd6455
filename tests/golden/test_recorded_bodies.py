"""Every recorded body becomes the record that was read and found right, and one scenario the same record whoever recorded it."""

import json
import random
from typing import Any

import pytest

from penstock.ingest.settle import settle_interactions
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from tests.golden.records import OTLP, PRODUCERS, bodies, canonical, decode_body, interactions_of, read_producer
from tests.golden.scenarios import ANSWERS, REFERENCE, SAME_WORDS, SCENARIOS, by_words, documented_gaps, in_order

# What the program that drove OpenInference said about its calls and the others had no way to say.
_ONLY_SAID_THERE = {"prompt_version", "segment", "tags"}


@pytest.mark.parametrize("producer", PRODUCERS)
def test_the_bodies_of_a_producer_become_their_canonical_records(producer: str) -> None:
    expected = json.loads((OTLP / producer / "expected.json").read_text())
    assert read_producer(producer) == expected


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("producer", SAME_WORDS)
def test_a_scenario_gives_the_same_record_through_every_producer_but_for_documented_gaps(producer: str, scenario: str) -> None:
    gaps = documented_gaps()[producer]
    expected, found = in_order(REFERENCE, scenario), in_order(producer, scenario)
    assert len(found) == len(expected) > 0
    for one, other in zip(expected, found, strict=True):
        assert _without(other, gaps | _ONLY_SAID_THERE) == _without(one, gaps)


@pytest.mark.parametrize("producer", SAME_WORDS)
def test_a_documented_gap_is_one(producer: str) -> None:
    differing: set[str] = set()
    for scenario in SCENARIOS:
        for one, other in zip(in_order(REFERENCE, scenario), in_order(producer, scenario), strict=True):
            differing |= {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    assert differing - _ONLY_SAID_THERE == documented_gaps()[producer]


@pytest.mark.parametrize(
    ("producer", "scenario"), [(producer, scenario) for producer in ANSWERS for scenario in ANSWERS[producer]]
)
def test_what_the_model_answered_is_in_the_record_but_for_documented_gaps(producer: str, scenario: str) -> None:
    gaps = documented_gaps()[producer]
    found = by_words(producer, scenario)
    assert found.keys() == ANSWERS[producer][scenario].keys()
    for words, answer in ANSWERS[producer][scenario].items():
        record = found[words]
        assert {name: record.get(name) for name in answer if name not in gaps} == _without(answer, gaps)
        if answer.get("finish_reason") == "tool_call":
            (call,) = record["tool_calls"]
            assert (call["name"], call["arguments"]) == ("lookup_order", {"order_id": "A-1001"})
        assert ("error_type" in record) == (answer["request_model"] == "err-500")


@pytest.mark.parametrize("producer", ANSWERS)
def test_a_gap_in_what_the_model_answered_is_one(producer: str) -> None:
    differing: set[str] = set()
    for scenario, answers in ANSWERS[producer].items():
        found = by_words(producer, scenario)
        for words, answer in answers.items():
            differing |= {name for name, value in answer.items() if found[words].get(name) != value}
    assert differing == documented_gaps()[producer]


@pytest.mark.parametrize(
    "producer", ["openai_v2-2.1b0_legacy_events", "genai_openai-1.3b0_span_and_event", "vercel_ai-7.0.173_genai_json"]
)
def test_bodies_in_any_order_and_in_requests_of_their_own_settle_to_the_same(
    producer: str, lake: Lake, clock: WriterClock
) -> None:
    arriving = bodies(producer)
    random.Random(producer).shuffle(arriving)
    for body in arriving:
        lake.append("spans", decode_body(body).spans)
        settle_interactions(lake, clock)
    settled = lake.to_records("interactions", lake.current("interactions"))
    expected = interactions_of(producer)
    assert len(settled) == len(expected)
    assert {row.interaction_id: canonical(row) for row in settled} == {row.interaction_id: canonical(row) for row in expected}


def test_every_recording_is_among_the_documented_ones() -> None:
    compared = {*SAME_WORDS, *ANSWERS}
    assert set(documented_gaps()) == compared
    assert set(PRODUCERS) - compared == {REFERENCE, "grpc_genai_openai-1.3b0", "util_genai-1.3b0_agent_retrieval_eval"}


def _without(record: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}
