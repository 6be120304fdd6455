"""Running the definitions over a real lake."""

from typing import Any

import msgspec
import pytest

from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.interaction import Interaction
from penstock.records.signal import Signal
from penstock.signals.retry import RETRY
from penstock.signals.run import run_signals
from tests.rows import make_feedback, make_interaction, make_span, matched, trace

RETRIES = {"retry": RETRY}


def signals(lake: Lake) -> dict[str, Signal]:
    rows: list[Signal] = lake.to_records("signals", lake.current("signals"))
    return {row.name: row for row in rows}


def test_reports_become_signals_of_their_definitions(lake: Lake, clock: WriterClock) -> None:
    one = make_interaction(0, response_text="ab cd", session_id=None)
    lake.append("interactions", [one])
    lake.append(
        "feedback",
        [
            matched("thumbs", one, value=1.0), matched("copy", one), matched("edited", one, text="ab"), matched("silent", one),
            matched("outcome.tests", one, value=0.0), matched("helpfulness", one, value=3.0),
        ],
    )  # fmt: skip
    written = run_signals(lake, clock)
    assert written == {
        "acceptance": 1, "completion": 1, "copy": 1, "edit": 1, "feedback.helpfulness": 1, "outcome.tests": 1, "rating": 1,
        "silent": 1,
    }  # fmt: skip
    found = signals(lake)
    assert {name: row.value for name, row in found.items()} == {
        "rating": 1.0, "copy": 1.0, "acceptance": 0.5, "edit": 0.5, "silent": 1.0, "outcome.tests": 0.0, "completion": 0.0,
        "feedback.helpfulness": 3.0,
    }  # fmt: skip
    assert {row.interaction_id for row in found.values()} == {one.interaction_id}
    assert found["copy"].definition == "copy@1"
    assert (found["rating"].kind, found["copy"].kind, found["outcome.tests"].kind) == ("explicit", "implicit", "outcome")
    assert found["copy"].feedback_id == matched("copy", one).feedback_id


def test_a_second_run_adds_nothing(lake: Lake, clock: WriterClock) -> None:
    one = make_interaction(0)
    lake.append("interactions", [one])
    lake.append("feedback", [matched("copy", one)])
    run_signals(lake, clock)
    version = lake.version("signals")
    assert run_signals(lake, clock) == {}
    assert lake.version("signals") == version


def test_the_same_rows_again_give_no_revision(lake: Lake, clock: WriterClock) -> None:
    one, report = make_interaction(0), matched("copy", make_interaction(0))
    lake.append("interactions", [one])
    lake.append("feedback", [report])
    run_signals(lake, clock)
    lake.append("interactions", [one])
    lake.append("feedback", [report])
    assert run_signals(lake, clock) == {}
    assert lake.revisions("signals").count().to_pyarrow().as_py() == 1


def test_unmatched_reports_are_no_signals(lake: Lake, clock: WriterClock) -> None:
    lake.append(
        "feedback", [make_feedback("copy", "request", "q"), make_feedback("copy", "request", "p", status="ambiguous", revision=1)]
    )
    assert run_signals(lake, clock) == {}


def test_accepted_and_later_reverted_is_rejected_and_stays_on_its_day(lake: Lake, clock: WriterClock) -> None:
    one = make_interaction(0)
    lake.append("interactions", [one])
    lake.append("feedback", [matched("accepted", one, happened=10)])
    run_signals(lake, clock)
    first = signals(lake)["acceptance"]
    lake.append("feedback", [matched("reverted", one, happened=200_000), matched("offered", one, happened=300_000)])
    assert run_signals(lake, clock) == {"acceptance": 1}
    second = signals(lake)["acceptance"]
    assert (first.value, second.value, second.revision) == (1.0, 0.0, 1)
    assert second.occurred_at == first.occurred_at
    assert second.evidence["happened_at"].startswith("2026-03-03")


def test_offered_alone_is_recorded_without_a_verdict(lake: Lake, clock: WriterClock) -> None:
    one = make_interaction(0)
    lake.append("interactions", [one])
    lake.append("feedback", [matched("offered", one)])
    run_signals(lake, clock)
    row = signals(lake)["acceptance"]
    assert (row.value, row.evidence["state"]) == (None, "offered")


def test_a_state_may_be_said_in_the_text_of_acceptance(lake: Lake, clock: WriterClock) -> None:
    one = make_interaction(0)
    lake.append("interactions", [one])
    lake.append("feedback", [matched("acceptance", one, text="silent")])
    assert run_signals(lake, clock) == {"silent": 1}


def test_a_report_on_a_session_is_a_signal_of_the_session(lake: Lake, clock: WriterClock) -> None:
    report = make_feedback("rating", "session", "c", value=1.0, status="matched", session_id="c", revision=1)
    lake.append("interactions", [make_interaction(0, session_id="c")])
    lake.append("feedback", [report])
    run_signals(lake, clock)
    row = signals(lake)["rating"]
    assert (row.target_kind, row.target_id, row.interaction_id, row.session_id) == ("session", "c", None, "c")


def test_content_that_comes_late_amends_the_share_kept(lake: Lake, clock: WriterClock) -> None:
    one = make_interaction(0)
    lake.append("interactions", [one])
    lake.append("feedback", [matched("edited", one, text="ab")])
    assert run_signals(lake, clock) == {"acceptance": 1}
    lake.append("interactions", [make_interaction(0, response_text="abcd", revision=1)])
    assert run_signals(lake, clock) == {"acceptance": 1, "edit": 1}
    assert signals(lake)["acceptance"].value == 0.5


def asks(number: int, text: str, start: float, **fields: Any) -> Interaction:
    return make_interaction(number, start=start, **{"session_id": "c", "prompt_text": text, **fields})


def test_asking_the_same_again_is_a_retry_of_the_first(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [asks(0, "sort a list", 0), asks(1, "sort a list", 20), asks(2, "book a table", 40)])
    assert run_signals(lake, clock, definitions=RETRIES) == {"retry": 1}
    row = signals(lake)["retry"]
    assert (row.interaction_id, row.evidence["kind"]) == (asks(0, "", 0).interaction_id, "exact")
    assert row.evidence["next_interaction_id"] == asks(1, "", 20).interaction_id


def test_a_retry_in_another_session_is_found_by_its_user(lake: Lake, clock: WriterClock) -> None:
    lake.append(
        "interactions", [asks(0, "sort a list", 0, user_id="u_1"), asks(1, "sort a list", 30, user_id="u_1", session_id="d")]
    )
    run_signals(lake, clock, definitions=RETRIES)
    assert signals(lake)["retry"].evidence["found_by"] == "user_id"


def test_later_than_the_gap_or_after_a_failure_or_inside_one_trace_is_no_retry(lake: Lake, clock: WriterClock) -> None:
    same_trace = asks(4, "sort a list", 520)
    lake.append(
        "interactions",
        [
            asks(0, "sort a list", 0), asks(1, "sort a list", 200, error_type="timeout"), asks(2, "sort a list", 230),
            asks(3, "sort a list", 500, trace_id=same_trace.trace_id), same_trace, asks(5, "x", 900, finish_reason="tool_calls"),
            asks(6, "x", 910),
        ],
    )  # fmt: skip
    assert run_signals(lake, clock, definitions=RETRIES) == {}


def test_a_turn_whose_words_were_sampled_out_still_stands_between_two_others(lake: Lake, clock: WriterClock) -> None:
    asked = [
        make_interaction(number, session_id="s", prompt_text="how do I add numbers", start=number * 5) for number in range(3)
    ]
    thin = msgspec.structs.replace(asked[1], prompt_text=None, content_sampled=False, sample_probability=0.5)
    lake.append("interactions", [asked[0], thin, asked[2]])
    assert run_signals(lake, clock, definitions=RETRIES) == {}


def test_a_turn_that_comes_late_between_two_withdraws_a_retry(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [asks(0, "sort a list", 0), asks(1, "sort a list", 20)])
    run_signals(lake, clock, definitions=RETRIES)
    lake.append("interactions", [asks(2, "book a table", 10)])
    assert run_signals(lake, clock, definitions=RETRIES) == {"retry": 1}
    row = signals(lake)["retry"]
    assert (row.value, row.revision) == (None, 1)
    assert "withdrawn" in row.evidence
    assert run_signals(lake, clock, definitions=RETRIES) == {}


def test_a_changed_neighbour_without_a_user_leaves_what_was_found_by_user(lake: Lake, clock: WriterClock) -> None:
    lake.append(
        "interactions", [asks(0, "sort a list", 0, user_id="u_1"), asks(1, "sort a list", 30, user_id="u_1", session_id="d")]
    )
    run_signals(lake, clock, definitions=RETRIES)
    lake.append("interactions", [asks(2, "something else", 200)])
    assert run_signals(lake, clock, definitions=RETRIES) == {}
    assert signals(lake)["retry"].value is not None


def test_behaviour_of_other_exposures_is_left_out_when_asked(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [asks(0, "sort", 0, exposure="replay"), asks(1, "sort", 20, exposure="replay")])
    assert run_signals(lake, clock, exposures=["served"]) == {}


@pytest.mark.slow
def test_any_order_of_arrival_in_any_chunks_ends_in_the_same_signals(lake: Lake, clock: WriterClock) -> None:
    rows = [
        asks(number, "sort a list" if number % 3 else "book a table", number * 20.0, session_id=f"c{number % 2}")
        for number in range(5)
    ]
    reports = [matched("accepted", row) for row in rows] + [matched("reverted", row, happened=60) for row in rows[:2]]
    lake.append("interactions", rows)
    lake.append("feedback", reports)
    run_signals(lake, clock)
    expected = sorted((row.signal_id, str(row.value)) for row in lake.to_records("signals", lake.current("signals")))

    other = Lake(lake.root.parent / "other", lake.settings)
    other.create()
    for row in reversed(rows):
        other.append("interactions", [row])
        run_signals(other, clock, max_rows=1)
    for report in reversed(reports):
        other.append("feedback", [report])
    run_signals(other, clock, max_rows=1)
    found = sorted(
        (row.signal_id, str(row.value))
        for row in other.to_records("signals", other.current("signals"))
        if "withdrawn" not in row.evidence
    )
    assert found == expected


def test_signals_follow_a_call_from_the_applications_view_to_the_gateways(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "app", response_id="r")])
    settle_interactions(lake, clock)
    lake.append("feedback", [make_feedback("copy", "span", f"{trace(0)}:app")])
    settle_feedback(lake, clock, 24)
    run_signals(lake, clock)
    lake.append("spans", [make_span(trace(0), "gw", "app", start=0.5, dialect="gateway", response_id="r")])
    settle_interactions(lake, clock)
    settle_feedback(lake, clock, 24)
    run_signals(lake, clock)
    rows: list[Signal] = lake.to_records("signals", lake.current("signals"))
    (interaction,) = lake.to_records("interactions", lake.current("interactions"))
    assert [row.interaction_id for row in rows if row.value is not None] == [interaction.interaction_id]
    assert len(rows) == 2


def test_a_busy_user_in_many_chunks_gives_the_signals_of_one_run(lake: Lake, clock: WriterClock) -> None:
    texts = ["sort a list", "sort a list", "book a table", "tell me a joke"]
    busy = [asks(number, texts[number % 4], number * 5, user_id="u_1", session_id=f"c{number // 40}") for number in range(160)]
    for start in range(0, 160, 80):
        lake.append("interactions", busy[start : start + 80])
        run_signals(lake, clock, definitions=RETRIES)
    found = lake.to_records("signals", lake.current("signals"))
    assert {row.interaction_id for row in found} == {busy[number].interaction_id for number in range(0, 160, 4)}
    lake.append(
        "interactions", [asks(number, "no words", number * 5 + 1, user_id="u_1", prompt_text=None) for number in range(200, 260)]
    )
    assert run_signals(lake, clock, definitions=RETRIES) == {}


def test_a_turn_that_loses_its_words_no_longer_stands_between_two(lake: Lake, clock: WriterClock) -> None:
    between = asks(2, "book a table", 10)
    lake.append("interactions", [asks(0, "sort a list", 0), between, asks(1, "sort a list", 20)])
    assert run_signals(lake, clock, definitions=RETRIES) == {}
    lake.append("interactions", [msgspec.structs.replace(between, prompt_text=None, revision=1)])
    assert run_signals(lake, clock, definitions=RETRIES) == {"retry": 1}


def test_a_report_on_a_trace_that_turns_out_to_be_a_session_leaves_no_signal_behind(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "one")])
    settle_interactions(lake, clock)
    lake.append("feedback", [make_feedback("rating", "trace", trace(0), value=1.0)])
    settle_feedback(lake, clock, 24)
    run_signals(lake, clock)
    lake.append("spans", [make_span(trace(0), "two", start=300)])
    settle_interactions(lake, clock)
    settle_feedback(lake, clock, 24)
    run_signals(lake, clock)
    rows: list[Signal] = [row for row in lake.to_records("signals", lake.current("signals")) if row.name == "rating"]
    held = {row.target_kind: (row.value, "withdrawn" in row.evidence) for row in rows}
    assert held == {"interaction": (None, True), "session": (1.0, False)}


def test_an_amended_report_amends_its_signal(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [make_interaction(0, request_id="q")])
    first = make_feedback("rating", "request", "q", value=1.0, idempotency_key="k")
    for value in (1.0, -1.0, 1.0):
        lake.append("feedback", [msgspec.structs.replace(first, value=value, known_at=clock.known_at())])
        settle_feedback(lake, clock, 24)
        run_signals(lake, clock)
        assert signals(lake)["rating"].value == value


@pytest.mark.parametrize("change", [{"user_id": "another"}, {"application": "another"}])
def test_who_used_to_be_followed_by_an_amended_turn_is_judged_anew(
    lake: Lake, clock: WriterClock, change: dict[str, str]
) -> None:
    fields = {"user_id": "u", "prompt_text": "sort a list", "session_id": None}
    first, second = make_interaction(0, start=0, **fields), make_interaction(1, start=20, **fields)
    lake.append("interactions", [first, second])
    run_signals(lake, clock, definitions=RETRIES)
    assert signals(lake)["retry"].value is not None
    lake.append("interactions", [msgspec.structs.replace(second, revision=1, **change)])
    run_signals(lake, clock, definitions=RETRIES)
    assert signals(lake)["retry"].value is None
