"""Deciding what a report is about."""

from datetime import timedelta

import msgspec

from penstock.ingest.feedback_targets import Directory, Name, Named, follow_merge, resolve
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


def test_a_span_is_known_without_its_trace_too() -> None:
    directory = Directory([named("0123456789abcdef", session_id="c")])
    settled = resolve(make_feedback("copy", "span", ":0123456789ABCDEF"), directory, LATER, DAY)
    assert settled is not None and (settled.status, settled.interaction_id) == ("matched", "0123456789abcdef")


def test_a_trace_is_its_one_interaction() -> None:
    settled = resolve(make_feedback("rating", "trace", "ab"), Directory([named("i_1", session_id="c")]), LATER, DAY)
    assert settled is not None
    assert (settled.status, settled.interaction_id, settled.session_id) == ("matched", "i_1", "c")


def test_a_trace_of_several_interactions_is_their_session_where_it_is_one_of_its_own_and_else_ambiguous() -> None:
    report = make_feedback("rating", "trace", "ab")
    own = resolve(report, Directory([named("i_1", session_id="ab"), named("i_2", session_id="ab")]), LATER, DAY)
    assert own is not None and (own.status, own.interaction_id, own.session_id) == ("matched", None, "ab")
    for other in ("c", None):
        claimed = resolve(report, Directory([named("i_1", session_id="ab"), named("i_2", session_id=other)]), LATER, DAY)
        assert claimed is not None and (claimed.status, claimed.session_id) == ("ambiguous", None)
        assert claimed.reason is not None and "i_1, i_2" in claimed.reason


def test_a_run_is_looked_for_among_requests_then_responses_then_traces() -> None:
    trace_id, run = "61469217070ea5e3b224b5cce64ffe20", "61469217-070e-a5e3-b224-b5cce64ffe20"
    by_trace = msgspec.structs.replace(named("i_trace"), trace_id=trace_id)
    by_response, by_request = named("i_response", response_id=run), named("i_request", request_id=run)
    for directory, expected in (
        ([by_trace, by_response, by_request], "i_request"),
        ([by_trace, by_response], "i_response"),
        ([by_trace], "i_trace"),
    ):
        settled = resolve(make_feedback("rating", "run", run), Directory(directory), LATER, DAY)
        assert settled is not None and settled.interaction_id == expected


def test_a_span_above_one_interaction_is_about_it_and_says_so() -> None:
    above = Name("span", "", interaction_id("ab", "agent"))
    report = make_feedback("rating", "span", "ab:agent")
    one = resolve(report, Directory([named("i_1"), named("i_2")], {above: {"i_1"}}), LATER, DAY)
    assert one is not None and (one.status, one.interaction_id) == ("matched", "i_1")
    assert one.reason == "the only interaction below that span"
    two = resolve(report, Directory([named("i_1"), named("i_2")], {above: {"i_1", "i_2"}}), LATER, DAY)
    assert two is not None and (two.status, two.interaction_id) == ("ambiguous", None)
    merged = [named("i_1", merged_into="i_2"), named("i_2")]
    same = resolve(report, Directory(merged, {above: {"i_1", "i_2"}}), LATER, DAY)
    assert same is not None and (same.status, same.interaction_id) == ("matched", "i_2")


def test_a_settled_report_is_settled_anew_only_where_the_outcome_is_another() -> None:
    report = make_feedback("rating", "trace", "ab")
    first = resolve(report, Directory([named("i_1", session_id="ab")]), LATER, DAY)
    assert first is not None and first.revision == 1
    assert resolve(first, Directory([named("i_1", session_id="ab")]), LATER, DAY) is None
    assert resolve(first, Directory([]), LATER + 2 * DAY, DAY) is None
    second = resolve(first, Directory([named("i_1", session_id="ab"), named("i_2", session_id="ab")]), LATER, DAY)
    assert second is not None and (second.revision, second.interaction_id, second.session_id) == (2, None, "ab")


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
