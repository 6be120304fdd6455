"""Deciding what a report is about."""

from datetime import timedelta

from penstock.ingest.feedback_targets import Directory, Named, follow_merge, resolve
from penstock.records.feedback import FeedbackStatus
from penstock.records.ids import interaction_id
from tests.rows import LATER, make_feedback, trace

DAY = timedelta(days=1)


def named(identifier: str, revision: int = 0, **fields: object) -> Named:
    given = {"request_id": None, "response_id": None, "session_id": None, "merged_into": None, **fields}
    return Named(interaction_id=identifier, trace_id="ab", span_id=identifier, revision=revision, **given)  # type: ignore[arg-type]  # fields of the struct


def test_one_match_is_a_match_by_every_kind_of_name() -> None:
    span = interaction_id(trace(0), "s")
    directory = Directory([named(span, request_id="q", response_id="r", session_id="c", keys={"ticket": "7"})])
    for report in (
        make_feedback("copy", "request", "q"),
        make_feedback("copy", "response", "r"),
        make_feedback("copy", "span", f"{trace(0)}:s"),
        make_feedback("copy", "key", "7", key="ticket"),
    ):
        settled = resolve(report, directory, LATER, DAY)
        assert settled is not None
        assert (settled.status, settled.interaction_id, settled.session_id, settled.revision) == ("matched", span, "c", 1)


def test_a_session_is_matched_as_a_session_however_many_interactions_it_has() -> None:
    directory = Directory([named("i_1", session_id="c"), named("i_2", session_id="c")])
    settled = resolve(make_feedback("rating", "session", "c"), directory, LATER, DAY)
    assert settled is not None
    assert (settled.status, settled.interaction_id, settled.session_id) == ("matched", None, "c")


def test_several_matches_are_ambiguous_with_the_reason_and_never_fanned_out() -> None:
    directory = Directory([named("i_1", response_id="r"), named("i_2", response_id="r")])
    settled = resolve(make_feedback("copy", "response", "r"), directory, LATER, DAY)
    assert settled is not None
    assert (settled.status, settled.interaction_id) == (FeedbackStatus.AMBIGUOUS, None)
    assert settled.reason is not None
    assert "'r' names 2 interactions: i_1, i_2" in settled.reason


def test_two_views_of_one_call_are_one_match() -> None:
    directory = Directory([named("i_app", response_id="r", merged_into="i_gw"), named("i_gw", response_id="r", session_id="c")])
    settled = resolve(make_feedback("copy", "response", "r"), directory, LATER, DAY)
    assert settled is not None
    assert (settled.interaction_id, settled.session_id) == ("i_gw", "c")


def test_only_what_an_interaction_is_called_now_counts() -> None:
    directory = Directory([named("i_1", 0, session_id="old"), named("i_1", 1, session_id="new")])
    settled = resolve(make_feedback("rating", "session", "old"), directory, LATER, DAY)
    assert settled is not None
    assert settled.status == FeedbackStatus.PENDING


def test_waiting_is_recorded_once_and_ends_when_the_time_is_up() -> None:
    pending = resolve(make_feedback("copy", "request", "q"), Directory(()), LATER, DAY)
    assert pending is not None
    assert pending.status == FeedbackStatus.PENDING
    assert resolve(pending, Directory(()), LATER + DAY / 2, DAY) is None
    expired = resolve(pending, Directory(()), LATER + DAY, DAY)
    assert expired is not None
    assert (expired.status, expired.reason) == ("expired", "The request 'q' named nothing for 24 h")


def test_a_key_of_another_name_is_another_key() -> None:
    settled = resolve(make_feedback("copy", "key", "7", key="order"), Directory([named("i_1", keys={"ticket": "7"})]), LATER, DAY)
    assert settled is not None
    assert settled.status == FeedbackStatus.PENDING


def test_a_matched_report_follows_its_interaction_into_another() -> None:
    matched = make_feedback("copy", "request", "q", status="matched", interaction_id="i_app", revision=1)
    directory = Directory([named("i_app", 1, merged_into="i_gw"), named("i_gw", session_id="c")])
    followed = follow_merge(matched, directory, LATER)
    assert followed is not None
    assert (followed.interaction_id, followed.session_id, followed.revision) == ("i_gw", "c", 2)
    assert follow_merge(followed, directory, LATER) is None


def test_interactions_merged_in_a_circle_do_not_hang() -> None:
    directory = Directory([named("i_1", merged_into="i_2"), named("i_2", merged_into="i_1")])
    assert directory.canonical("i_1") == "i_2"
