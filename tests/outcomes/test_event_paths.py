"""Paths into events that nobody has to trust."""

import pytest

from penstock.outcomes.event_paths import Event, EventError, as_text, find_name, find_text, find_value, is_one_of

EVENT = Event({"ticket": {"id": 7, "tags": ["a", "b"]}, "runs": [{"id": "r1"}], "a.b": 1, "none": None}, {"x-event": "closed"})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("ticket.id", 7),
        ("runs.0.id", "r1"),
        ("runs[0].id", "r1"),
        ("runs[7].id", None),
        ("a.b", 1),
        ("header:X-Event", "closed"),
        ("header:X-Other", None),
        ("runs.1.id", None),
        ("runs.-1.id", None),
        ("runs.99999999999999999999", None),
        ("ticket.id.deeper", None),
        ("nowhere", None),
        ("", None),
    ],
)
def test_a_path_leads_to_a_value_or_nowhere(path, value):
    assert find_value(EVENT, path) == value


def test_a_template_is_filled_in_whole_or_not_at_all():
    assert find_text(EVENT, "{runs.0.id}#{ticket.id}") == "r1#7"
    assert find_text(EVENT, "{runs.0.id}#{ticket.none}") is None


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (7.0, "7"), (7.5, "7.5"), (True, "true"), ("x", "x"), ("", None), (None, None)]
)
def test_plain_values_are_text(value, text):
    assert as_text(value, "p") == text


@pytest.mark.parametrize("value", [{"a": 1}, [1]])
def test_an_object_where_a_name_is_wanted_is_told_without_what_it_holds(value):
    with pytest.raises(EventError, match="`p` holds") as caught:
        as_text(value, "p")
    assert "1" not in str(caught.value)


def test_a_name_must_be_there_and_must_not_be_endless():
    with pytest.raises(EventError, match="missing"):
        find_name(EVENT, "none")
    with pytest.raises(EventError, match="longer than"):
        find_name(Event({"id": "x" * 2000}, {}), "id")


@pytest.mark.parametrize(
    ("value", "wanted", "holds"),
    [
        ("Solved", ["solved"], True),
        ("open", ["solved"], False),
        (True, ["true"], True),
        (True, [True], True),
        (1, [True], False),
        (3, [3.0], True),
        ("3", [3.0], True),
        (None, ["*"], False),
        ({"a": 1}, ["*"], True),
        ({"a": 1}, ["a"], False),
        (["x", "Solved"], ["solved"], True),
        ([["solved"]], ["solved"], False),
    ],
)
def test_a_value_is_one_of_those_wanted_in_any_case(value, wanted, holds):
    assert is_one_of(value, wanted) is holds
