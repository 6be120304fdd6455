"""predicted_completion, from the trace of a session."""

from typing import Any

import msgspec
import numpy
import pytest

from penstock.formats.json_value import encode_json
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.interaction import Interaction
from penstock.signals.completion import COMPLETION
from penstock.signals.definition import Finding
from penstock.signals.predicted_completion import COEFFICIENTS, PREDICTED_COMPLETION, measures, predict, read_calls
from penstock.signals.run import run_signals
from tests.rows import at, make_feedback, make_interaction
from tests.signals.behaved import findings_of

OFFERED = encode_json({"tools": [{"type": "function", "name": "look"}]})
LONG_AFTER = at(90_000)


def call(number: int, name: str = "look", **arguments: Any) -> dict[str, Any]:
    return {"id": f"call_{number}", "name": name, "arguments": arguments}


def answered(**results: Any) -> str:
    parts = [{"type": "tool_call_response", "id": name, "response": result} for name, result in results.items()]
    return encode_json([{"role": "user", "parts": [{"type": "text", "content": "error?"}]}, {"role": "tool", "parts": parts}])


def turn(number: int, told: str | None = "Done.", *calls: dict[str, Any], **fields: Any) -> Interaction:
    given = {
        "session_id": "c", "prompt_text": "book a seat", "response_text": told,
        "tool_calls": encode_json(calls) if calls else None,
    }  # fmt: skip
    return make_interaction(number, start=number * 10.0, **{**given, **fields})


def only(*rows: Interaction) -> Finding:
    (found,) = findings_of(PREDICTED_COMPLETION, list(rows), LONG_AFTER)
    return found


def test_the_counts_that_it_rests_on_stand_beside_it() -> None:
    found = only(
        turn(0, None, call(0, seat=1)),
        turn(1, None, call(1, seat=1), call(2, seat=2)),
        turn(
            2,
            "Unfortunately I cannot do that.",
            input_messages=answered(call_0="Error: taken", call_1="Error: taken", call_2="ok"),
        ),
        turn(3, "It is booked.", input_messages=answered(call_0="Error: taken", call_1="Error: taken", call_2="ok")),
    )
    assert (found.target_kind, found.target_id, found.name, found.kind) == ("session", "c", "predicted_completion", "implicit")
    assert found.evidence == {
        "turns": "4", "answers": "2", "characters": "44", "declined": "1", "calls": "3", "repeated": "1", "failed": "2",
        "broken": "0", "last_interaction_id": turn(3).interaction_id,
    }  # fmt: skip
    assert found.occurred_at == at(31)
    counts = {name: numpy.array([int(value)]) for name, value in found.evidence.items() if name != "last_interaction_id"}
    assert found.value == pytest.approx(float(predict(measures(counts))[0]), abs=1e-6)


def test_a_session_without_tools_has_none_and_one_that_was_offered_some_has_one() -> None:
    assert findings_of(PREDICTED_COMPLETION, [turn(0)], LONG_AFTER) == []
    assert only(turn(0, parameters=OFFERED)).evidence["calls"] == "0"


def test_a_session_that_may_still_go_on_has_none() -> None:
    assert findings_of(PREDICTED_COMPLETION, [turn(0, parameters=OFFERED)], at(1_800)) == []


@pytest.mark.parametrize("error", [None, "", False, {}, []])
def test_an_error_that_says_nothing_is_none(error: Any) -> None:
    assert read_calls(encode_json([{**call(0), "error": error, "result": "ok"}]), None) == (1, 0, 0)


def test_a_line_separator_within_a_call_ends_no_line() -> None:
    assert read_calls(encode_json([call(0, text="a\u2028b\x85c")]), None) == (1, 0, 0)


@pytest.mark.parametrize("name", ["length", "repeated", "failed", "broken"])
def test_what_speaks_against_it_lowers_it(name: str) -> None:
    assert COEFFICIENTS[name] < 0
    usual = {one: numpy.array([7.0 if one == "length" else 0.0]) for one in COEFFICIENTS}
    assert predict({**usual, name: usual[name] + 1})[0] < predict(usual)[0]


def test_a_measure_counts_no_further_than_it_was_seen() -> None:
    usual = {one: numpy.array([8.6 if one == "length" else 0.0]) for one in COEFFICIENTS}
    assert predict({**usual, "length": numpy.array([15.0])}) == predict(usual)


@pytest.mark.parametrize(
    ("result", "is_failed"),
    [
        ("Error: no such seat", True), ({"error": "no such seat"}, True), ({"isError": True, "content": []}, True),
        ({"success": False}, True), ({"status": "failed"}, True), ("Traceback (most recent call last):", True),
        ('{"error": "as text"}', True), ("[ERROR] no", True),
        ("ok", False), ({"error": None, "seat": 1}, False), ({"errors": []}, False), ({"success": True}, False), ("", False),
        ([], False), (12.0, False), ("no errors were found", False), ({"note": "an error was corrected"}, False),
    ],
)  # fmt: skip
def test_whether_a_call_failed_is_read_of_what_it_gave_back(result: Any, is_failed: bool) -> None:
    made = encode_json([call(0)])
    assert read_calls(made, answered(call_0=result)) == (1, 0, int(is_failed))
    assert read_calls(encode_json([{**call(0), "result": result}]), None) == (1, 0, int(is_failed))


def test_a_call_that_failed_counts_once_however_it_is_told() -> None:
    made = encode_json([{**call(0), "error": "timeout"}])
    assert read_calls(made, answered(call_0="Error: timeout")) == (1, 0, 1)


@pytest.mark.parametrize("text", ["no json", "{}", "[1, 2]", "[" * 2_000, '[{"parts": [{"type": "tool_call_response", "id": 1}'])
def test_what_cannot_be_read_is_one_call_that_did_not_fail(text: str) -> None:
    assert read_calls(text, text) == (1, 0, 0)
    assert read_calls(None, None) == (0, 0, 0)


def run(lake: Lake, clock: WriterClock, after: float, *rows: Any) -> dict[str, int]:
    lake.append("interactions", list(rows))
    both = {"predicted_completion": PREDICTED_COMPLETION, "completion": COMPLETION}
    return run_signals(lake, clock, definitions=both, as_of=at(after))


def test_it_stands_beside_what_is_reported_later_and_gives_way_to_a_new_one_when_the_session_goes_on(
    lake: Lake, clock: WriterClock
) -> None:
    assert run(lake, clock, 20, turn(0, None, call(0)), turn(1)) == {}
    assert run(lake, clock, 2_000) == {"predicted_completion": 1}
    report = make_feedback("outcome.task_completed", "session", "c", value=0.0, status="matched", session_id="c", revision=1)
    lake.append("feedback", [report])
    assert run(lake, clock, 2_100) == {"completion": 1}
    found = {row.name: row for row in lake.to_records("signals", lake.current("signals"))}
    assert (found["completion"].value, found["completion"].kind) == (0.0, "outcome")
    assert found["predicted_completion"].value is not None
    broken = msgspec.structs.replace(turn(300, None), error_type="timeout")
    assert run(lake, clock, 9_000, broken) == {"predicted_completion": 1}
    after = {row.name: row for row in lake.to_records("signals", lake.current("signals"))}
    assert after["predicted_completion"].value < found["predicted_completion"].value
    assert after["predicted_completion"].evidence["broken"] == "1"
    assert after["completion"] == found["completion"]
