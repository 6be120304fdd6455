"""POST /v1/feedback: targets, values, times, idempotency, and what becomes of bad reports."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from penstock.signals.rating import rate
from tests.edge.recording_door import RecordingDoor

TRACE, SPAN = "A" * 32, "b" * 16


def send(url: str, content: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/feedback", json=content)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"request_id": "r1"}, ("request", "r1", None)),
        ({"response_id": "resp-1"}, ("response", "resp-1", None)),
        ({"trace_id": TRACE, "span_id": SPAN}, ("span", f"{'a' * 32}:{SPAN}", None)),
        ({"trace_id": TRACE}, ("trace", "a" * 32, None)),
        ({"session_id": "s1"}, ("session", "s1", None)),
        ({"key": {"name": "ticket_id", "value": "T-1"}}, ("key", "T-1", "ticket_id")),
    ],
)
def test_each_way_to_name_a_target_is_understood(edge: str, door: RecordingDoor, target: dict[str, Any], expected: Any) -> None:
    response = send(edge, {**target, "name": "rating", "value": 1})
    assert response.status_code == 200
    feedback = door.feedback[0]
    assert (feedback.target_kind, feedback.target_id, feedback.target_key) == expected
    assert response.json() == {"accepted": 1, "feedback_ids": [feedback.feedback_id], "rejected": []}


def test_everything_that_a_report_says_is_kept(edge: str, door: RecordingDoor) -> None:
    report = {
        "request_id": "r1",
        "name": "edit",
        "value": 0.25,
        "text": "better so",
        "occurred_at": "2026-03-01T12:00:00+02:00",
        "idempotency_key": "k1",
        "source": "editor",
        "metadata": {"line": 3, "kept": True, "file": "a.py", "nothing": None},
    }
    assert send(edge, report).status_code == 200
    feedback = door.feedback[0]
    assert (feedback.name, feedback.value, feedback.text, feedback.source) == ("edit", 0.25, "better so", "editor")
    assert feedback.occurred_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert feedback.idempotency_key.startswith("k1:")
    assert feedback.metadata == {"line": "3", "kept": "true", "file": "a.py"}


@pytest.mark.parametrize(("given", "kept"), [(True, 1.0), (False, 0.0), (3, 3.0), (-0.5, -0.5), (None, None)])
def test_a_value_is_a_number_or_a_boolean(edge: str, door: RecordingDoor, given: Any, kept: float | None) -> None:
    assert send(edge, {"request_id": "r", "name": "n", "value": given}).status_code == 200
    assert door.feedback[0].value == kept


@pytest.mark.parametrize(
    ("value", "metadata", "rating"),
    [(False, {}, -1.0), (True, {}, 1.0), (0, {}, 0.0), (True, {"minimum": 1, "maximum": 5}, 1.0), (False, {"minimum": 1}, -1.0)],
)
def test_a_rating_that_is_false_is_bad_and_one_of_zero_is_neither(
    edge: str, door: RecordingDoor, value: Any, metadata: dict[str, Any], rating: float
) -> None:
    assert send(edge, {"request_id": "r", "name": "Rating", "value": value, "metadata": metadata}).status_code == 200
    (kept,) = door.feedback
    assert rate(kept.name, kept.value, kept.text, kept.metadata) == (rating, None)


def test_a_verdict_that_is_false_can_be_told_from_one_with_zero(edge: str, door: RecordingDoor) -> None:
    verdict = {"request_id": "r", "name": "rejected", "metadata": {"maximum": 300}}
    assert send(edge, [{**verdict, "value": False, "metadata": {}}, {**verdict, "value": 0}]).status_code == 200
    assert [kept.metadata for kept in door.feedback] == [{"minimum": "0", "maximum": "1"}, {"maximum": "300"}]


@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"feedback": items}])
def test_bad_reports_are_told_with_index_and_reason_and_the_good_ones_are_kept(edge: str, door: RecordingDoor, wrap: Any) -> None:
    good = {"request_id": "r1", "name": "rating", "value": 1}
    items = [good, {"name": "rating"}, {**good, "value": "yes"}, {**good, "request_id": "r2"}, 7]
    answer = send(edge, wrap(items))
    assert answer.status_code == 200
    body = answer.json()
    assert body["accepted"] == 2 and len(body["feedback_ids"]) == 2
    assert [item["index"] for item in body["rejected"]] == [1, 2, 4]
    assert all(item["error"] for item in body["rejected"])
    assert [item.target_id for item in door.feedback] == ["r1", "r2"]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"name": "n"}, "exactly one way, this one has none"),
        ({"name": "n", "request_id": "r", "session_id": "s"}, "request and session"),
        ({"name": "n", "span_id": SPAN}, "trace_id"),
        ({"name": "n", "trace_id": "xyz", "span_id": SPAN}, "hex"),
        ({"request_id": "r"}, "name"),
        ({"request_id": "r", "name": ""}, "length"),
        ({"request_id": "r", "name": " \t"}, "blank"),
        ({"request_id": "r", "name": "a\x00b"}, "control"),
        ({"name": "n", "key": {"name": "\n", "value": "T-1"}}, "name of a key"),
        ({"request_id": "r", "name": "n", "occured_at": 1}, "occured_at"),
        ({"request_id": "r", "name": "n", "occurred_at": "yesterday"}, "yesterday"),
        ({"name": "n", "key": {"name": "ticket"}}, "value"),
    ],
)
def test_when_every_report_is_bad_the_request_is(edge: str, door: RecordingDoor, item: Any, reason: str) -> None:
    response = send(edge, item)
    assert response.status_code == 400
    assert reason in response.json()["rejected"][0]["error"]
    assert not door.feedback


def test_the_same_report_twice_is_one_report(edge: str) -> None:
    report = {"request_id": "r1", "name": "rating", "value": 1, "occurred_at": 1_770_000_000}
    first, second = send(edge, report).json(), send(edge, report).json()
    other = send(edge, {**report, "value": 0}).json()
    assert first["feedback_ids"] == second["feedback_ids"] != other["feedback_ids"]


def test_a_report_without_key_and_time_that_comes_again_is_another_and_the_last_one(edge: str, door: RecordingDoor) -> None:
    up, down = ({"request_id": "r1", "name": "rating", "value": value} for value in (1, -1))
    for content in (up, down, up, [down, up, down]):
        assert send(edge, content).status_code == 200
    assert len({report.feedback_id for report in door.feedback}) == 6
    times = [report.occurred_at for report in door.feedback]
    assert times == sorted(set(times))


def test_the_senders_idempotency_key_decides(edge: str) -> None:
    first = send(edge, {"request_id": "r1", "name": "n", "value": 1, "idempotency_key": "k"}).json()
    second = send(edge, {"request_id": "r1", "name": "n", "value": 2, "idempotency_key": "k"}).json()
    assert first["feedback_ids"] == second["feedback_ids"]


def test_a_key_that_names_another_target_or_name_too_names_another_report(edge: str) -> None:
    report = {"request_id": "r1", "name": "accepted", "idempotency_key": "accepted"}
    key = {"name": "accepted", "idempotency_key": "accepted", "key": {"name": "ticket", "value": "r1"}}
    others = [
        {**report, "request_id": "r2"},
        {**report, "name": "reverted"},
        {"response_id": "r1", "name": "accepted", "idempotency_key": "accepted"},
        key,
        {**key, "key": {"name": "order", "value": "r1"}},
    ]
    answer = send(edge, [report, *others, {**report, "value": 1}]).json()
    *ids, amended = answer["feedback_ids"]
    assert len(set(ids)) == 6
    assert amended == ids[0]


def test_a_time_more_than_a_day_ahead_costs_its_report_alone(edge: str, door: RecordingDoor) -> None:
    good = {"request_id": "r1", "name": "copy"}
    tomorrow = datetime.now(UTC) + timedelta(hours=20)
    times = ["2099-01-01T00:00:00Z", 4_070_908_800, tomorrow.isoformat(), None]
    answer = send(edge, [{**good, "occurred_at": time} for time in times])
    assert answer.status_code == 200 and answer.json()["accepted"] == 2
    errors = {item["index"]: item["error"] for item in answer.json()["rejected"]}
    assert set(errors) == {0, 1} and all(
        "2099-01-01T00:00:00+00:00 lies more than a day ahead" in told for told in errors.values()
    )
    assert door.feedback[0].occurred_at == tomorrow


@pytest.mark.parametrize(
    "bad", ['"value": 1e999', '"value": NaN', f'"value": {"9" * 400}', f'"value": -{"9" * 5000}', '"occurred_at": 1e999']
)
@pytest.mark.parametrize("place", ["", '"metadata": '])
def test_a_number_beyond_measure_costs_its_report_alone(edge: str, door: RecordingDoor, bad: str, place: str) -> None:
    inner = f"{place}{{{bad}}}" if place else bad
    good = f'{{"request_id": "r1", "name": "copy", "metadata": {{"n": {"7" * 25}}}}}'
    body = f'[{good}, {{"request_id": "r2", "name": "n", {inner}}}]'
    answer = httpx.post(f"{edge}/v1/feedback", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert [item["index"] for item in answer.json()["rejected"]] == [1]
    assert [(report.target_id, report.metadata) for report in door.feedback] == [("r1", {"n": "7" * 25})]


def test_half_a_surrogate_pair_is_replaced(edge: str, door: RecordingDoor) -> None:
    body = (
        r"""[{"request_id": "r1", "name": "copy"}, {"request_id": "r2", "name": "n", "text": "cut \ud83d, whole \ud83d\ude00"}]"""
    )
    answer = httpx.post(f"{edge}/v1/feedback", content=body, headers={"content-type": "application/json"})
    assert answer.json()["accepted"] == 2
    assert [report.text for report in door.feedback] == [None, "cut ?, whole 😀"]


def test_an_empty_array_is_a_success(edge: str) -> None:
    assert send(edge, []).json() == {"accepted": 0, "feedback_ids": [], "rejected": []}


def test_what_is_no_json_is_refused(edge: str) -> None:
    headers = {"content-type": "application/json"}
    assert httpx.post(f"{edge}/v1/feedback", content=b"{", headers=headers).status_code == 400
    assert httpx.post(f"{edge}/v1/feedback", content=b"\xff", headers=headers).status_code == 400
    assert httpx.post(f"{edge}/v1/feedback", content=b"[" * 100_000, headers=headers).status_code == 400


def test_what_a_foreign_web_page_could_send_is_refused(edge: str, door: RecordingDoor) -> None:
    body = b'{"request_id": "r", "name": "n"}'
    assert httpx.post(f"{edge}/v1/feedback", content=body, headers={"content-type": "text/plain"}).status_code == 415
    assert not door.feedback


def test_a_full_spool_asks_to_come_back(edge: str, door: RecordingDoor) -> None:
    door.fill()
    response = send(edge, {"request_id": "r", "name": "n"})
    assert response.status_code == 503 and "retry-after" in response.headers
    assert "spool" in response.json()["error"]
