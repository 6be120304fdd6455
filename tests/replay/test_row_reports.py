"""Reports on what a row names, as they are sent."""

from typing import Any

import pytest

from penstock.errors import ConfigurationError
from penstock.replay.binding import PassedOverError, RowError
from penstock.replay.call import Call
from penstock.replay.log_rows import LogRow
from penstock.replay.mapping import parse_mapping
from penstock.replay.row_mapping import map_row
from tests.replay.examples import MAPPING, NOW

TICKETS = """
[source]
name = "tickets"

[[feedback]]
name = "outcome.resolved"
when = { column = "status" }
keys.ticket_id = { column = "ticket" }
value = { column = "status", map = { solved = 1, reopened = 0 } }
text = { column = "comment" }
occurred_at = { column = "at", parse = "iso" }
"""
BY_ID = TICKETS.replace("[[feedback]]", 'id = { column = "number" }\n\n[[feedback]]')
TARGET = 'keys.ticket_id = { column = "ticket" }'
ROW = {"number": 1, "ticket": "T-1", "status": "solved", "comment": "thanks", "at": "2026-03-01T09:00:00Z"}


def map_values(mapping: str = TICKETS, number: int = 1, name: str = "a.csv", **changes: Any) -> Call:
    return map_row(LogRow(number, {**ROW, **changes}, None, 0.0), name, parse_mapping(mapping, "tickets.toml"), NOW)


def key_of(*arguments: Any, **changes: Any) -> str:
    (report,) = map_values(*arguments, **changes).feedback
    return str(report["idempotency_key"])


def test_a_row_that_is_feedback_alone_has_no_span_and_a_target_of_its_own() -> None:
    call = map_values()
    assert call.spans == []
    (report,) = call.feedback
    assert report.pop("idempotency_key").startswith("replay-")
    assert report == {
        "key": {"name": "ticket_id", "value": "T-1"},
        "name": "outcome.resolved",
        "value": 1.0,
        "text": "thanks",
        "occurred_at": "2026-03-01T09:00:00+00:00",
        "source": "replay",
        "metadata": {},
    }


@pytest.mark.parametrize("word", ["request_id", "response_id", "session_id"])
def test_other_targets_than_a_key(word: str) -> None:
    (report,) = map_values(TICKETS.replace("keys.ticket_id", word), ticket=7.0).feedback
    assert report[word] == "7"
    assert "key" not in report


def test_a_report_is_known_by_what_it_says_wherever_its_row_stands() -> None:
    assert key_of(number=9, name="b.csv", unread="x") == key_of()
    assert key_of(status="reopened") != key_of()
    assert key_of(TICKETS.replace('name = "tickets"', 'name = "others"')) != key_of()


def test_a_report_of_a_row_with_an_id_is_known_by_that() -> None:
    assert key_of(BY_ID, status="reopened", comment=None) == key_of(BY_ID)
    assert key_of(BY_ID, number=1, ticket="T-2") != key_of(BY_ID)
    with pytest.raises(RowError, match="id: it is empty"):
        map_row(LogRow(1, {**ROW, "number": None}, None, 0.0), "a", parse_mapping(BY_ID, "tickets.toml"), NOW)


def test_an_item_may_name_the_target() -> None:
    mapping = TICKETS.replace(TARGET, 'for_each = { column = "tickets" }\nkeys.ticket_id = { item = true, path = "id" }')
    reports = map_values(mapping, tickets=[{"id": 1}, {"id": 2}]).feedback
    assert [report["key"]["value"] for report in reports] == ["1", "2"]
    assert len({report["idempotency_key"] for report in reports}) == 2


def test_a_row_of_which_nothing_is_known_yet_is_no_mistake() -> None:
    with pytest.raises(PassedOverError, match="nothing to report"):
        map_values(status="")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ticket": None}, "feedback.keys.ticket_id: it is empty"),
        ({"ticket": "x" * 2000}, "feedback.keys.ticket_id: it is longer than 1024 characters"),
        ({"at": ""}, "feedback.occurred_at: it is empty"),
        ({"at": "2026-03-03T09:00:00Z"}, "feedback.occurred_at: it lies more than a day ahead"),
        ({"comment": "\ud800"}, "it holds characters that are no valid Unicode"),
    ],
)
def test_a_bad_row_is_a_reason_that_quotes_nothing(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError) as caught:
        map_values(**changes)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TICKETS.replace(TARGET, ""), "names its target 0 times; say exactly one of keys.NAME, request_id"),
        (TICKETS.replace(TARGET, TARGET + '\nsession_id = "s"'), "names its target 2 times; say exactly one of"),
        (TICKETS.replace("occurred_at", "#"), "does not say when it happened: `occurred_at`"),
        (TICKETS.replace("keys.ticket_id", "kyes.ticket_id"), "Did you mean `keys`"),
        (TICKETS.replace(TARGET, 'keys = "ticket"'), "keys = 'ticket' must be a table"),
        ('[source]\nname = "tickets"\n', r"neither \[interaction\] nor \[\[feedback\]\]"),
        (BY_ID + "[interaction]\nstarted_at = 1\ninput_messages = 1\n", r"say `id` in \[interaction\]"),
        (TICKETS + "[interaction]\n", r"Rows that are feedback alone have no \[interaction\]"),
        (MAPPING.replace('name = "rating"', 'name = "rating"\n' + TARGET), "does not say when it happened"),
        (
            MAPPING.replace('name = "rating"', f'name = "rating"\n{TARGET}\nsession_id = "s"\noccurred_at = "2026-01-01"'),
            "names its target 2 times; say at most one of",
        ),
    ],
)
def test_a_mapping_that_cannot_be_is_refused_with_what_to_do(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_mapping(text, "tickets.toml")
