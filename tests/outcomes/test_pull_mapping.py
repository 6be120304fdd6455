"""What a row reports, and why it does not."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from penstock.errors import ConfigurationError
from penstock.outcome_settings import PullSettings
from penstock.outcomes.pull_mapping import map_row, read_pull_mapping
from penstock.records.feedback import Feedback
from penstock.replay.binding import Row, RowError
from tests.outcomes.tickets import RULE

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROW = {"id": 1, "ticket": "T-1", "status": "solved", "note": None, "solved_at": "2026-03-01T09:00:00Z"}


def mapping(*rules, id_=None):
    return read_pull_mapping("desk", PullSettings(parquet="x", watermark="w", id=id_, feedback=list(rules) or [RULE]))


def reports(row, *rules, id_=None):
    return list(map_row(Row(1, row), mapping(*rules, id_=id_), NOW))


def test_a_row_is_a_report_on_its_key():
    (report,) = reports(ROW)
    assert isinstance(report, Feedback)
    assert (report.target_kind, report.target_key, report.target_id, report.value) == ("key", "ticket_id", "T-1", 1.0)
    assert (report.source, report.known_at, report.occurred_at.hour) == ("pull:desk", NOW, 9)


def test_a_row_is_known_by_its_id_or_by_what_it_reports():
    by_content = reports(ROW)[0].feedback_id
    assert reports({**ROW, "unread": 5})[0].feedback_id == by_content
    assert reports({**ROW, "status": "reopened"})[0].feedback_id != by_content
    by_id = reports(ROW, id_={"column": "id"})[0].feedback_id
    assert reports({**ROW, "status": "reopened"}, id_={"column": "id"})[0].feedback_id == by_id
    assert reports({**ROW, "id": 2}, id_={"column": "id"})[0].feedback_id != by_id


def test_a_row_with_an_id_is_the_same_report_whatever_it_names():
    def named(row, *rules):
        return [(report.feedback_id, report.target_id) for report in reports(row, *rules, id_={"column": "id"})]

    ((before, first),) = named(ROW)
    ((after, second),) = named({**ROW, "ticket": "T-2"})
    assert (before, first, second) == (after, "T-1", "T-2")
    assert reports({**ROW, "ticket": "T-2"})[0].feedback_id != reports(ROW)[0].feedback_id  # without an id it is what it reports


def test_a_row_that_names_two_targets_is_two_reports_and_two_conditions_on_one_are_one():
    twice = {**ROW, "parent": "T-1"}
    by_id = {"column": "id"}
    both = reports(twice, RULE, {**RULE, "keys": {"ticket_id": {"column": "parent"}}}, id_=by_id)
    assert len({report.feedback_id for report in both}) == 2
    again = reports(twice, RULE, {**RULE, "when": {"column": "note"}}, {**RULE, "when": {"column": "status"}}, id_=by_id)
    assert len({report.feedback_id for report in again}) == 1


def test_an_item_of_a_list_is_known_by_what_it_names_wherever_it_stands():
    rule = {**RULE, "for_each": {"column": "tickets"}, "keys": {"ticket_id": {"item": True}}}
    found = [
        {report.target_id: report.feedback_id for report in reports({**ROW, "tickets": tickets}, rule, id_={"column": "id"})}
        for tickets in (["a", "b"], ["b"])
    ]
    assert found[0]["a"] != found[0]["b"]


@pytest.mark.parametrize(
    "at", [datetime(2026, 3, 1, 9), datetime(2026, 3, 1, 9, tzinfo=UTC), "2026-03-01T10:00:00+01:00", "2026-03-01 09:00:00"]
)
def test_times_of_any_driver_are_read(at):
    assert reports({**ROW, "solved_at": at})[0].occurred_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_day_is_its_midnight_and_a_decimal_a_number():
    report = reports({**ROW, "solved_at": date(2026, 3, 1), "status": Decimal("0.25")})[0]
    assert (report.occurred_at, report.value) == (datetime(2026, 3, 1, tzinfo=UTC), 0.25)


def test_a_whole_number_out_of_a_float_column_is_the_same_key():
    assert reports({**ROW, "ticket": 7.0})[0].target_id == reports({**ROW, "ticket": 7})[0].target_id == "7"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ticket": None}, "keys.ticket_id: it is empty"),
        ({"ticket": ""}, "keys.ticket_id: it is empty"),
        ({"ticket": ["a"]}, "keys.ticket_id: a list of 1 is no text"),
        ({"ticket": "x" * 2000}, "keys.ticket_id: it is longer than 1024 characters"),
        ({"status": "unheard-of"}, "value: text of 10 characters is none of the words in `map`, and no number"),
        ({"status": float("nan")}, "value: nan is no finite number"),
        ({"note": b"bytes"}, "text: a bytes is no text"),
        ({"note": "\ud800"}, "it holds characters that are no valid Unicode"),
        ({"solved_at": None}, "occurred_at: it is empty"),
        ({"solved_at": "soon"}, "occurred_at: text of 4 characters is no ISO 8601 time"),
        ({"solved_at": "0001-01-01T00:00:00+14:00"}, "occurred_at: text of 25 characters is no ISO 8601 time"),
        ({"solved_at": 5}, 'occurred_at: a int is no time; for a number say parse = "seconds" or "milliseconds"'),
        ({"solved_at": "2026-03-03T09:00:00Z"}, "occurred_at: it lies more than a day ahead"),
    ],
)
def test_what_cannot_be_read_is_a_reason_that_quotes_nothing(change, reason):
    (error,) = reports({**ROW, **change})
    assert isinstance(error, RowError)
    assert str(error) == reason


def test_one_rule_that_fails_costs_another_nothing():
    bad, good = reports({**ROW, "note": b"x"}, RULE, {**{k: v for k, v in RULE.items() if k != "text"}, "name": "outcome.closed"})
    assert isinstance(bad, RowError)
    assert good.name == "outcome.closed"


def test_a_condition_decides_and_a_list_makes_several():
    rule = {**RULE, "when": {"column": "counts"}, "for_each": {"column": "scores"}, "value": {"item": True}}
    assert reports({**ROW, "counts": "no", "scores": [1, 2]}, rule) == []
    several = reports({**ROW, "counts": 1, "scores": [1, 2]}, rule, id_={"column": "id"})
    assert [report.value for report in several] == [1.0, 2.0]
    assert len({report.feedback_id for report in several}) == 2


def test_other_targets_than_a_key():
    rule = {key: value for key, value in RULE.items() if key != "keys"}
    for word, kind in (("request_id", "request"), ("response_id", "response"), ("session_id", "session")):
        (report,) = reports(ROW, {**rule, word: {"column": "ticket"}})
        assert (report.target_kind, report.target_id, report.target_key) == (kind, "T-1", None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, "has no `name`"),
        ({"occurred_at": None}, "does not say when it happened"),
        ({"keys": None}, "names its target 0 times"),
        ({"session_id": {"column": "s"}}, "names its target 2 times"),
        ({"keys": "ticket_id"}, "write keys.ticket_id"),
        ({"valeu": {"column": "s"}}, "Did you mean `value`"),
        ({"value": {"colum": "s"}}, "Did you mean `column`"),
        ({"value": {"column": "s", "parse": "nonsense"}}, "is none of json"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(change, message):
    rule = {key: value for key, value in {**RULE, **change}.items() if value is not None}
    with pytest.raises(ConfigurationError, match=message):
        mapping(rule)


def test_the_columns_are_all_that_is_bound():
    assert mapping(id_={"column": "id"}).columns == {"id", "ticket", "status", "note", "solved_at"}
