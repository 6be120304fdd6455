"""A judge answers what cues leave unsure, over a real lake and real HTTP: answers stand beside the cues', failures too."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.interaction import Interaction
from penstock.records.signal import Signal
from penstock.signals.feedback_due import JUDGED, MOST_ATTEMPTS
from penstock.signals.feedback_judge import Judged, judge_feedback
from penstock.signals.run import run_signals
from tests.judging.scripted_judge import ScriptedJudge, running_judge
from tests.rows import LATER
from tests.signals.test_next_turn import asks


@pytest.fixture
def server() -> Iterator[ScriptedJudge]:
    with running_judge() as running:
        yield running


def talks(lake: Lake, clock: WriterClock, *said: str, **fields: Any) -> list[Interaction]:
    """One session in which these are said, with what the cues make of it."""
    rows = [asks(place, place * 10.0, text, response_text="sorted(x)", **fields) for place, text in enumerate(said)]
    lake.append("interactions", rows)
    run_signals(lake, clock)
    return rows


def ask(lake: Lake, clock: WriterClock, server: ScriptedJudge, now: datetime = LATER, **given: Any) -> Judged:
    return judge_feedback(lake, server.judge(**given), clock, exposures=["served"], now=now)


def judged(lake: Lake) -> list[Signal]:
    rows = lake.current("signals")
    return lake.to_records("signals", rows.filter(rows.definition == JUDGED).order_by("occurred_at"))


def test_what_is_unsure_is_asked_about_and_the_answer_stands_beside_the_cue_s(lake, clock, server):
    first, second, _ = talks(lake, clock, "sort a list", "hmm", "that is wrong")
    assert ask(lake, clock, server) == Judged(questions=1, answered=1, left_today=999)
    (row,) = judged(lake)
    assert (row.interaction_id, row.name, row.value, row.source) == (first.interaction_id, "feedback", -1.0, "judge:judge")
    assert row.evidence == {
        "asked_at": LATER.isoformat(), "judge": "yes", "suspected": "UR3", "questions": "1", "attempts": "1", "code": "UR3",
        "next_interaction_id": second.interaction_id,
    }  # fmt: skip
    assert server.texts == [{"request": "sort a list", "assistant's answer": "sorted(x)", "user's next message": "hmm"}]
    signals = lake.current("signals")
    assert signals.filter(signals.name == "feedback").count().to_pyarrow().as_py() == 3


def test_an_answer_is_asked_for_once(lake, clock, server):
    talks(lake, clock, "sort a list", "hmm")
    ask(lake, clock, server)
    version = lake.version("signals")
    assert ask(lake, clock, server) == Judged(left_today=999)
    assert (len(server.bodies), lake.version("signals")) == (1, version)


def test_what_is_denied_is_nothing(lake, clock, server):
    server.says = lambda _: '{"answer": "no"}'
    talks(lake, clock, "sort a list", "thanks, now use tabs instead of spaces")
    assert ask(lake, clock, server).questions == 2
    assert [(row.value, row.evidence["code"], row.evidence["suspected"]) for row in judged(lake)] == [(0.0, "none", "UR3,UR5")]


def test_an_answer_that_cannot_be_read_is_recorded_and_asked_for_a_few_times(lake, clock, server):
    server.says = lambda _: "well, it depends"
    talks(lake, clock, "sort a list", "hmm")
    for _ in range(MOST_ATTEMPTS + 2):
        ask(lake, clock, server)
    (row,) = judged(lake)
    assert (row.value, row.revision, row.evidence["attempts"]) == (None, MOST_ATTEMPTS - 1, str(MOST_ATTEMPTS))
    assert row.evidence["judge"] == "failed: unreadable: neither yes nor no"
    assert len(server.bodies) == MOST_ATTEMPTS


@pytest.mark.parametrize("model", ["status-500", "bad-json", "hang", "drop"])
def test_a_server_that_is_away_costs_no_attempt_and_no_signal(lake, clock, server, model):
    talks(lake, clock, "sort a list", "hmm")
    for _ in range(2):
        outcome = ask(lake, clock, server, model=model, timeout_s=0.2)
        assert (outcome.failed, outcome.away is not None) == (1, True)
    (row,) = judged(lake)
    assert (row.value, row.evidence["attempts"], row.evidence["judge"][:7]) == (None, "0", "failed:")
    assert ask(lake, clock, server).answered == 1
    assert [row.value for row in judged(lake)] == [-1.0]


def test_a_server_that_is_down_leaves_the_cue_s_signal_as_it_was(lake, clock):
    talks(lake, clock, "sort a list", "hmm")
    with running_judge() as gone:
        judge = gone.judge()
    outcome = judge_feedback(lake, judge, clock, exposures=["served"], now=LATER)
    assert outcome.away is not None and outcome.away.startswith("refused")
    signals = lake.current("signals")
    assert signals.filter(signals.definition == "feedback@3").value.to_pyarrow().to_pylist() == [-0.5]


def test_no_more_is_asked_in_a_day_than_is_allowed_and_the_rest_the_day_after(lake, clock, now, server):
    talks(lake, clock, "sort a list", "hmm", "hmm ok", "hmm well", "hmm hmm")
    assert ask(lake, clock, server, daily_questions=3).left_today == 0
    assert ask(lake, clock, server, daily_questions=3) == Judged()
    now.time = LATER + timedelta(days=1)
    assert ask(lake, clock, server, now.time, daily_questions=3).questions == 1


def test_a_message_that_comes_late_between_two_is_judged_in_the_place_of_the_first(lake, clock, server):
    talks(lake, clock, "sort a list", "hmm")
    ask(lake, clock, server)
    lake.append("interactions", [asks(7, 5.0, "fix it", response_text="x")])
    run_signals(lake, clock)
    outcome = ask(lake, clock, server)
    assert (outcome.withdrawn, outcome.answered) == (1, 2)
    first = next(row for row in judged(lake) if row.interaction_id == asks(0, 0).interaction_id)
    assert (first.revision, first.value, first.evidence["next_interaction_id"]) == (2, -1.0, asks(7, 5.0).interaction_id)


def test_an_answer_about_what_is_no_longer_said_is_withdrawn(lake, clock, server):
    _, second = talks(lake, clock, "sort a list", "hmm")
    ask(lake, clock, server)
    lake.append("interactions", [msgspec.structs.replace(second, prompt_text="book a table", revision=1)])
    run_signals(lake, clock)
    assert ask(lake, clock, server) == Judged(withdrawn=1, left_today=999)
    assert [(row.value, "withdrawn" in row.evidence) for row in judged(lake)] == [(None, True)]
    assert ask(lake, clock, server) == Judged(left_today=999)


def test_our_own_traffic_and_old_messages_are_not_asked_about(lake, clock, now, server):
    talks(lake, clock, "sort a list", "hmm", exposure="judge")
    assert ask(lake, clock, server) == Judged(left_today=1000)
    talks(lake, clock, "sort a list", "hmm", session_id="d")
    assert ask(lake, clock, server, LATER + timedelta(days=30)) == Judged(left_today=1000)


def test_what_is_erased_while_the_judge_thinks_is_not_written(lake, clock, server):
    talks(lake, clock, "sort a list", "hmm")

    def erase(_: str) -> str:
        with lake.alone():
            lake.erase("signals", "true")
        return "yes"

    server.says = erase
    assert ask(lake, clock, server).answered == 1
    assert judged(lake) == []
