"""Events become reports; what does not is ignored with a reason that quotes nothing."""

import pytest

from penstock.errors import BadInputError
from penstock.outcomes.webhook_mapping import UNWANTED, map_events, split_events
from tests.outcomes.hooks import NOW, resolved_rule, ticket_event


def mapped(*events, rules=None, headers=None):
    return map_events("desk", rules or [resolved_rule()], events, headers or {}, NOW)


def test_a_solved_ticket_is_a_report_on_its_key_at_its_own_time():
    (report,) = mapped(ticket_event()).feedback
    assert (report.name, report.value, report.source) == ("outcome.resolved", 1.0, "webhook:desk")
    assert (report.target_kind, report.target_key, report.target_id) == ("key", "ticket_id", "4711")
    assert report.occurred_at.isoformat() == "2026-03-01T10:00:00+00:00"
    assert report.known_at == NOW


def test_a_delivery_that_comes_again_is_the_same_report_and_a_later_event_is_another():
    first, again = mapped(ticket_event()).feedback[0], mapped(ticket_event()).feedback[0]
    reopened = mapped(ticket_event("reopened", event_id="e2", at="2026-03-01T11:00:00Z")).feedback[0]
    assert first.feedback_id == again.feedback_id != reopened.feedback_id
    assert reopened.value == 0.0


def test_without_an_id_an_event_is_what_it_holds():
    rule = resolved_rule(id_path="")
    ids = {mapped(ticket_event(at=at), rules=[rule]).feedback[0].feedback_id for at in ("2026-03-01T10:00:00Z",) * 2}
    assert len(ids) == 1
    assert mapped(ticket_event(at="2026-03-01T10:00:01Z"), rules=[rule]).feedback[0].feedback_id not in ids


def test_two_hooks_never_share_a_report():
    one = map_events("a", [resolved_rule()], [ticket_event()], {}, NOW).feedback[0]
    other = map_events("b", [resolved_rule()], [ticket_event()], {}, NOW).feedback[0]
    assert one.feedback_id != other.feedback_id


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (ticket_event("open"), UNWANTED),
        ({}, UNWANTED),
        (ticket_event(ticket=None), "`ticket.id` is missing"),
        (ticket_event(ticket={"a": 1}), "`ticket.id` holds an object where a plain value is wanted"),
        (ticket_event(ticket="x" * 2000), "`ticket.id` is longer than 1024 characters"),
        (ticket_event(event_id=""), "`event_id` is missing"),
        (ticket_event(at="yesterday"), "`ticket.updated_at` is no time that can be read as auto"),
        (ticket_event(at={"t": 1}), "`ticket.updated_at` is no time that can be read as auto"),
        (ticket_event(at=True), "`ticket.updated_at` is no time that can be read as auto"),
        (ticket_event(at=1e300), "`ticket.updated_at` is no time that can be read as auto"),
        (ticket_event(at="0001-01-01T00:00:00+14:00"), "`ticket.updated_at` is no time that can be read as auto"),
        (ticket_event(at="2026-03-02T12:00:01Z"), "`ticket.updated_at` lies more than a day ahead"),
    ],
)
def test_what_reports_nothing_is_counted_by_its_reason_and_costs_the_others_nothing(event, reason):
    result = mapped(event, ticket_event(event_id="good"))
    assert len(result.feedback) == 1
    assert result.ignored == {reason: 1}


@pytest.mark.parametrize(
    ("at", "form"),
    [
        ("2026-03-01T11:00:00+01:00", "auto"),
        ("2026-03-01T10:00:00", "iso"),
        (1772359200, "auto"),
        (1772359200000, "auto"),
        ("1772359200", "auto"),
        (1772359200, "seconds"),
        ("1772359200000", "milliseconds"),
    ],
)
def test_times_are_read_as_they_are_said_to_be(at, form):
    (report,) = mapped(ticket_event(at=at), rules=[resolved_rule(time_format=form)]).feedback
    assert report.occurred_at.isoformat() == "2026-03-01T10:00:00+00:00"


def test_a_clock_a_little_ahead_is_believed_and_an_event_without_a_time_happened_on_arrival():
    ahead = mapped(ticket_event(at="2026-03-01T12:05:00Z")).feedback[0]
    assert ahead.occurred_at > NOW
    assert mapped(ticket_event(at=None)).feedback[0].occurred_at == NOW


def test_a_word_that_is_worth_nothing_reports_nothing():
    rule = resolved_rule(when={}, values={"solved": 1.0})
    assert mapped(ticket_event("neutral"), rules=[rule]).ignored == {"`ticket.status` is none of the words in `values`": 1}


@pytest.mark.parametrize(("given", "value"), [(3, 3.0), ("0.5", 0.5), (True, 1.0)])
def test_a_number_is_the_value_itself(given, value):
    rule = resolved_rule(when={}, value_path="score", values={})
    assert mapped({**ticket_event(), "score": given}, rules=[rule]).feedback[0].value == value


@pytest.mark.parametrize("given", ["good", "NaN", "inf", [1], {"a": 1}, "1" * 5000])
def test_a_value_that_is_no_finite_number_reports_nothing(given):
    rule = resolved_rule(when={}, value_path="score", values={})
    assert mapped({**ticket_event(), "score": given}, rules=[rule]).ignored == {"`score` is no number": 1}


def test_names_texts_and_targets_may_be_put_together():
    rule = resolved_rule(name="outcome.{kind}", text="{ticket.id} is {ticket.status}", target_path="{desk}#{ticket.id}")
    (report,) = mapped({**ticket_event(), "kind": "csat", "desk": "eu"}, rules=[rule]).feedback
    assert (report.name, report.text, report.target_id) == ("outcome.csat", "4711 is solved", "eu#4711")


def test_other_targets_than_a_key_are_named_as_in_feedback():
    def target(kind, name):
        (report,) = mapped({**ticket_event(), "on": name}, rules=[resolved_rule(target=kind, key="", target_path="on")]).feedback
        return report.target_kind, report.target_id, report.target_key

    assert target("session", "chat-9") == ("session", "chat-9", None)
    assert target("trace", "AB" * 16) == ("trace", "ab" * 16, None)
    bad = mapped({**ticket_event(), "on": "?"}, rules=[resolved_rule(target="trace", key="", target_path="on")])
    assert bad.ignored == {"`on` is no trace id": 1}


def test_of_the_same_event_twice_in_a_body_the_last_counts():
    assert len(mapped(ticket_event(), ticket_event()).feedback) == 1


def test_a_body_is_an_event_or_a_list_or_holds_a_list():
    assert len(split_events({"a": 1}, "")) == 1
    assert len(split_events([{"a": 1}, {"a": 2}], "")) == 2
    assert len(split_events({"data": {"items": [{}, {}, {}]}}, "data.items")) == 3
    for content, path in (([1], ""), ("text", ""), (None, ""), ({"data": 1}, "data"), ({}, "data")):
        with pytest.raises(BadInputError):
            split_events(content, path)


def test_an_event_that_nests_endlessly_and_has_no_id_is_ignored():
    deep: dict = {}
    for _ in range(100_000):
        deep = {"d": deep}
    result = mapped({**ticket_event(), "deep": deep}, rules=[resolved_rule(id_path="")])
    assert result.ignored == {"it holds what cannot be told from another event; give `id_path`": 1}
