"""What is put to a judge: what cues are unsure of, with its texts, newest first, until it is answered."""

from datetime import timedelta

import msgspec

from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.signal import Signal
from penstock.signals import feedback_due
from penstock.signals.feedback_due import JUDGED, LOOK_BACK, MOST_ATTEMPTS, asked_since, find_due, latest_of, stale, still_unsure
from penstock.signals.run import run_signals
from tests.rows import LATER, make_signal
from tests.signals.test_next_turn import asks


def talk(lake: Lake, clock: WriterClock, *said: str) -> None:
    lake.append("interactions", [asks(place, place * 10.0, text, response_text="x") for place, text in enumerate(said)])
    run_signals(lake, clock)


def due(lake: Lake, standing: dict[str, Signal] | None = None, most: int = 10) -> list[str]:
    return [one.doubt.next_message for one in find_due(lake, LATER, standing or {}, ["served"], most)]


def answer(lake: Lake, message: str, value: float | None, attempts: int) -> dict[str, Signal]:
    """What the judge would have said of a message."""
    (cue,) = [one.cue for one in find_due(lake, LATER, {}, ["served"], 10) if one.doubt.next_message == message]
    evidence = {"attempts": str(attempts), "questions": "1", "next_interaction_id": cue.evidence["next_interaction_id"]}
    return {cue.target_id: msgspec.structs.replace(cue, definition=JUDGED, value=value, evidence=evidence)}


def test_unsure_messages_are_due_newest_first_and_no_sure_ones(lake: Lake, clock: WriterClock) -> None:
    talk(lake, clock, "sort a list", "hmm", "that is wrong", "but why not", "next one")
    assert due(lake) == ["but why not", "hmm"]
    assert due(lake, most=1) == ["but why not"]


def test_what_is_answered_is_due_no_more_and_a_failure_only_a_few_times(lake: Lake, clock: WriterClock) -> None:
    talk(lake, clock, "sort a list", "hmm", "but why not")
    assert due(lake, answer(lake, "hmm", 0.0, 1)) == ["but why not"]
    assert due(lake, answer(lake, "hmm", None, MOST_ATTEMPTS - 1)) == ["but why not", "hmm"]
    assert due(lake, answer(lake, "hmm", None, MOST_ATTEMPTS)) == ["but why not"]


def test_more_than_a_page_is_read_on(lake: Lake, clock: WriterClock, monkeypatch) -> None:
    monkeypatch.setattr(feedback_due, "_PAGE", 2)
    talk(lake, clock, "sort a list", *(f"hmm {number}" for number in range(5)))
    assert due(lake) == [f"hmm {number}" for number in (4, 3, 2, 1, 0)]


def test_an_answer_is_stale_once_its_cue_is_sure_or_another_message_came_between(lake: Lake, clock: WriterClock) -> None:
    talk(lake, clock, "sort a list", "hmm")
    standing = answer(lake, "hmm", -1.0, 1)
    cues = still_unsure(lake, LATER, list(standing))
    assert stale(standing, cues) == []
    assert stale(standing, {}) == list(standing.values())
    elsewhere = {
        target: msgspec.structs.replace(cue, evidence={**cue.evidence, "next_interaction_id": "i"})
        for target, cue in cues.items()
    }
    assert stale(standing, elsewhere) == list(standing.values())


def test_messages_of_long_ago_are_not_due(lake: Lake, clock: WriterClock) -> None:
    talk(lake, clock, "sort a list", "hmm")
    assert find_due(lake, LATER + LOOK_BACK + timedelta(days=2), {}, ["served"], 10) == []


def test_questions_are_counted_from_rows_and_the_last_revision_counts() -> None:
    first = make_signal("feedback", asks(0, 0), None, evidence={"questions": "2"})
    second = msgspec.structs.replace(first, revision=1, known_at=LATER + timedelta(days=1), evidence={"questions": "1"})
    assert (asked_since([first, second], LATER), asked_since([first, second], LATER + timedelta(hours=1))) == (3, 1)
    assert latest_of([second, first]) == {first.target_id: second}


def test_a_message_that_was_answered_is_not_due_again_where_another_came_between_for_a_while(
    lake: Lake, clock: WriterClock
) -> None:
    talk(lake, clock, "sort a list", "hmm")
    between = asks(7, 5.0, "but why", response_text="x")
    for one in (between, msgspec.structs.replace(between, session_id="elsewhere", revision=1)):
        lake.append("interactions", [one])
        run_signals(lake, clock)
    assert due(lake) == ["hmm"]
    assert due(lake, answer(lake, "hmm", 0.0, 1)) == []
