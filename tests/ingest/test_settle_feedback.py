"""Settling feedback onto its targets, against a real lake."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.config import LakeSettings
from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import SettledFeedback, settle_feedback
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback
from penstock.records.ids import interaction_id
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
