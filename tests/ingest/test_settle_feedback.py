"""Settling feedback onto its targets, against a real lake."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import SettledFeedback, settle_feedback
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback
from penstock.records.ids import interaction_id
from penstock.settings import LakeSettings
from tests.rows import make_feedback, make_interaction, make_span, trace
from tests.stages import Now


def settle(lake: Lake, clock: WriterClock) -> SettledFeedback:
    return settle_feedback(lake, clock, expiry_h=24)


def feedback(lake: Lake) -> list[Feedback]:
    return lake.to_records("feedback", lake.current("feedback").order_by("name"))


def test_reports_find_their_targets_by_every_name_and_a_second_run_adds_nothing(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [make_interaction(0, request_id="q", response_id="r", session_id="c", keys={"ticket": "7"})])
    lake.append(
        "feedback",
        [
            make_feedback("a", "request", "q"), make_feedback("b", "response", "r"), make_feedback("c", "session", "c"),
            make_feedback("d", "span", f"{trace(0)}:s"), make_feedback("e", "key", "7", key="ticket"),
        ],
    )  # fmt: skip
    assert settle(lake, clock) == SettledFeedback(matched=5)
    one = make_interaction(0).interaction_id
    assert [row.interaction_id for row in feedback(lake)] == [one, one, None, one, one]
    assert {row.session_id for row in feedback(lake)} == {"c"}
    version = lake.version("feedback")
    assert settle(lake, clock) == SettledFeedback()
    assert lake.version("feedback") == version


def test_a_report_that_comes_first_waits_and_is_matched_when_its_interaction_comes(lake: Lake, clock: WriterClock) -> None:
    lake.append("feedback", [make_feedback("copy", "request", "q"), make_feedback("other", "request", "never")])
    assert settle(lake, clock) == SettledFeedback(pending=2)
    assert settle(lake, clock) == SettledFeedback()
    lake.append("interactions", [make_interaction(0, request_id="q")])
    assert settle(lake, clock) == SettledFeedback(matched=1)
    assert [row.status for row in feedback(lake)] == ["matched", "pending"]


def test_a_waiting_report_is_matched_when_a_revision_brings_the_name(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [make_interaction(0)])
    lake.append("feedback", [make_feedback("copy", "session", "c")])
    settle(lake, clock)
    lake.append("interactions", [make_interaction(0, session_id="c", revision=1)])
    assert settle(lake, clock) == SettledFeedback(matched=1)


def test_a_report_nobody_can_place_expires(lake: Lake, clock: WriterClock, now: Now) -> None:
    lake.append("feedback", [make_feedback("copy", "request", "q")])
    settle(lake, clock)
    now.time += timedelta(hours=25)
    assert settle(lake, clock) == SettledFeedback(expired=1)
    assert settle(lake, clock) == SettledFeedback()
    (row,) = feedback(lake)
    assert row.reason == "The request 'q' named nothing for 24 h"


def test_a_target_that_names_several_is_ambiguous(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [make_interaction(0, response_id="r"), make_interaction(1, response_id="r")])
    lake.append("feedback", [make_feedback("copy", "response", "r")])
    assert settle(lake, clock) == SettledFeedback(ambiguous=1)


def test_what_was_ambiguous_is_matched_once_the_interactions_turn_out_to_be_one(lake: Lake, clock: WriterClock) -> None:
    first, second = make_interaction(0, response_id="r"), make_interaction(1, response_id="r")
    lake.append("interactions", [first, second])
    lake.append("feedback", [make_feedback("copy", "response", "r")])
    assert settle(lake, clock) == SettledFeedback(ambiguous=1)
    lake.append("interactions", [msgspec.structs.replace(second, merged_into=first.interaction_id, revision=1)])
    assert settle(lake, clock) == SettledFeedback(matched=1)
    assert [row.interaction_id for row in feedback(lake)] == [first.interaction_id]
    assert settle(lake, clock) == SettledFeedback()


def test_a_report_sent_twice_is_one_report(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [make_interaction(0, request_id="q")])
    report = make_feedback("copy", "request", "q")
    lake.append("feedback", [report, report])
    assert settle(lake, clock) == SettledFeedback(matched=1)
    lake.append("feedback", [report])
    assert settle(lake, clock) == SettledFeedback()
    assert [row.status for row in feedback(lake)] == ["matched"]


def test_small_chunks_come_to_an_end_and_miss_nothing(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [make_interaction(number, request_id=f"q{number}") for number in range(6)])
    for number in range(6):
        lake.append("feedback", [make_feedback("copy", "request", f"q{number}"), make_feedback("x", "request", f"none{number}")])
    assert settle_feedback(lake, clock, expiry_h=24, max_rows=1) == SettledFeedback(matched=6, pending=6)
    assert settle_feedback(lake, clock, expiry_h=24, max_rows=1) == SettledFeedback()


def test_a_report_on_the_applications_span_follows_the_call_to_the_gateways(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "app", response_id="r")])
    settle_interactions(lake, clock)
    lake.append("feedback", [make_feedback("copy", "span", f"{trace(0)}:app")])
    settle(lake, clock)
    lake.append("spans", [make_span(trace(0), "gw", "app", start=0.5, dialect="gateway", response_id="r", session_id="c")])
    settle_interactions(lake, clock)
    assert settle(lake, clock) == SettledFeedback(matched=1)
    lake.append("feedback", [make_feedback("late", "span", f"{trace(0)}:app")])
    assert settle(lake, clock) == SettledFeedback(matched=1)
    assert [(row.interaction_id, row.session_id) for row in feedback(lake)] == [(interaction_id(trace(0), "gw"), "c")] * 2


def test_many_reports_are_settled_at_once(home: Path, clock: WriterClock) -> None:
    lake = Lake(home / "many", LakeSettings())
    lake.create()
    lake.append(
        "interactions", [make_interaction(n, request_id=f"q{n}", response_id=f"r{n}", keys={"k": str(n)}) for n in range(200)]
    )
    reports = [make_feedback("copy", "request", f"q{n}") for n in range(100)]
    reports += [make_feedback("copy", "key", str(n), key="k") for n in range(100)]
    lake.append("feedback", reports)
    assert settle(lake, clock) == SettledFeedback(matched=200)


def test_reports_that_keep_arriving_do_not_hold_a_run_for_ever(
    lake: Lake, clock: WriterClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append("interactions", [make_interaction(0, request_id="r")])
    lake.append("feedback", [make_feedback("copy", "request", "r")])
    arrived = 0
    append = lake.append

    def append_while_more_arrives(table: str, rows: Any, **options: Any) -> int | None:
        nonlocal arrived
        assert arrived < 20, "the run never ends"
        arrived += 1
        append("feedback", [make_feedback("copy", "request", f"later-{arrived}")])
        return append(table, rows, **options)

    monkeypatch.setattr(lake, "append", append_while_more_arrives)
    settle_feedback(lake, clock, 24.0)
    assert arrived == 1


def test_of_many_that_wait_only_those_are_looked_at_that_an_arrival_may_answer(lake: Lake, clock: WriterClock) -> None:
    waiting = [make_feedback("copy", "request", f"r{number}") for number in range(200)]
    lake.append("feedback", [*waiting, make_feedback("copy", "span", f"{trace(7).upper()}:S")])
    assert settle_feedback(lake, clock, 24_000.0).pending == 201
    lake.append("interactions", [make_interaction(7, request_id="r7")])
    settled = settle_feedback(lake, clock, 24_000.0)
    assert (settled.matched, settled.pending) == (2, 0)


def test_a_waiting_report_finds_its_target_by_the_name_as_it_is_whatever_letters_it_is_made_of(
    lake: Lake, clock: WriterClock
) -> None:
    names = ["\u0130d-1", "STRASSE-\u00df", "\u03a3\u03a3", "Req-A"]
    lake.append("feedback", [make_feedback("copy", "request", name) for name in names])
    assert settle(lake, clock).pending == len(names)
    lake.append("interactions", [make_interaction(number, request_id=name) for number, name in enumerate(names)])
    assert settle(lake, clock).matched == len(names)


RUN = "61469217-070e-a5e3-b224-b5cce64ffe20"


def test_reports_on_traces_and_runs_find_their_interactions_before_and_after_they_come(lake: Lake, clock: WriterClock) -> None:
    first = make_interaction(0, session_id="c", trace_id=RUN.replace("-", ""))
    reports = [
        make_feedback("a", "trace", first.trace_id), make_feedback("b", "run", RUN), make_feedback("c", "run", "resp-1"),
        make_feedback("d", "span", f":{first.span_id.upper()}"), make_feedback("e", "run", "elsewhere"),
    ]  # fmt: skip
    lake.append("feedback", reports[:3])
    assert settle(lake, clock) == SettledFeedback(pending=3)
    lake.append("interactions", [msgspec.structs.replace(first, response_id="resp-1")])
    assert settle(lake, clock) == SettledFeedback(matched=3)
    lake.append("feedback", reports[3:])
    assert settle(lake, clock) == SettledFeedback(matched=1, pending=1)
    assert [row.interaction_id for row in feedback(lake)] == [first.interaction_id] * 4 + [None]
    assert settle(lake, clock) == SettledFeedback()


def test_a_report_on_a_trace_is_settled_anew_when_the_trace_gains_an_interaction(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "one")])
    settle_interactions(lake, clock)
    lake.append("feedback", [make_feedback("rating", "trace", trace(0))])
    assert settle(lake, clock) == SettledFeedback(matched=1)
    assert feedback(lake)[0].interaction_id == interaction_id(trace(0), "one")
    lake.append("spans", [make_span(trace(0), "two", start=1)])
    settle_interactions(lake, clock)
    assert settle(lake, clock) == SettledFeedback(matched=1)
    (row,) = feedback(lake)
    assert (row.status, row.interaction_id, row.session_id, row.revision) == ("matched", None, trace(0), 2)
    lake.append("spans", [make_span(trace(0), "three", start=2, session_id="c")])
    settle_interactions(lake, clock)
    assert settle(lake, clock) == SettledFeedback(ambiguous=1)
    assert settle(lake, clock) == SettledFeedback()


def test_a_report_on_a_span_above_the_call_finds_it_and_with_a_second_call_is_ambiguous(lake: Lake, clock: WriterClock) -> None:
    agent, step = make_span(trace(0), "agent", kind="agent"), make_span(trace(0), "step", "agent", kind="other")
    lake.append("feedback", [make_feedback("early", "span", f"{trace(0)}:agent")])
    lake.append("spans", [agent, step, make_span(trace(0), "one", "step"), make_span(trace(1), "other")])
    assert settle(lake, clock) == SettledFeedback(pending=1)
    settle_interactions(lake, clock)
    assert settle(lake, clock) == SettledFeedback(matched=1)
    lake.append("feedback", [make_feedback("late", "span", f"{trace(0)}:agent"), make_feedback("lone", "span", ":step")])
    assert settle(lake, clock) == SettledFeedback(matched=2)
    call = interaction_id(trace(0), "one")
    assert [(row.interaction_id, row.reason) for row in feedback(lake)] == [(call, "the only interaction below that span")] * 3
    lake.append("spans", [make_span(trace(0), "two", "agent", start=1)])
    settle_interactions(lake, clock)
    assert settle(lake, clock) == SettledFeedback(ambiguous=2)
    assert [row.status for row in feedback(lake)] == ["ambiguous", "ambiguous", "matched"]
    assert settle(lake, clock) == SettledFeedback()


def test_a_report_on_the_call_itself_is_left_alone_when_its_trace_grows(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "one")])
    settle_interactions(lake, clock)
    lake.append("feedback", [make_feedback("copy", "span", f"{trace(0)}:one")])
    assert settle(lake, clock) == SettledFeedback(matched=1)
    lake.append("spans", [make_span(trace(0), "two", "one", start=1)])
    settle_interactions(lake, clock)
    assert settle(lake, clock) == SettledFeedback()


def test_a_report_sent_again_with_other_content_amends_the_one_before(lake: Lake, clock: WriterClock) -> None:
    lake.append("interactions", [make_interaction(0, request_id="q")])
    first = make_feedback("rating", "request", "q", value=1.0, idempotency_key="k")
    lake.append("feedback", [first])
    assert settle(lake, clock) == SettledFeedback(matched=1)
    for value in (0.0, 1.0):
        again = msgspec.structs.replace(first, value=value, known_at=clock.known_at(), occurred_at=clock.known_at())
        lake.append("feedback", [again])
        assert settle(lake, clock) == SettledFeedback(matched=1)
        lake.append("feedback", [again])
        assert settle(lake, clock) == SettledFeedback()
        (row,) = feedback(lake)
        assert (row.value, row.status, row.occurred_at) == (value, "matched", first.occurred_at)
    assert row.revision == 3


def test_a_report_amended_while_it_waits_is_matched_as_it_was_amended(lake: Lake, clock: WriterClock) -> None:
    first = make_feedback("rating", "request", "q", value=1.0, idempotency_key="k")
    lake.append("feedback", [first])
    assert settle(lake, clock) == SettledFeedback(pending=1)
    lake.append("feedback", [msgspec.structs.replace(first, value=0.0, known_at=clock.known_at())])
    lake.append("interactions", [make_interaction(0, request_id="q")])
    assert settle(lake, clock) == SettledFeedback(matched=1)
    (row,) = feedback(lake)
    assert (row.value, row.status, row.revision) == (0.0, "matched", 2)
