import pytest

from penstock.signals.copy import COPY
from tests.signals.reported import findings


@pytest.mark.parametrize("name", ["copy", "copied", "copy_event", "Copy"])
def test_a_copy_is_one_whatever_value_came_with_it(name: str) -> None:
    (found,) = findings(COPY, {"name": name, "value": 7.0, "text": "the part"})
    assert (found.name, found.value, found.text, found.kind) == ("copy", 1.0, "the part", "implicit")
    assert (found.feedback_id, found.evidence["reported_as"]) == ("f0", name)


def test_a_later_zero_takes_a_copy_back_and_an_earlier_one_does_not() -> None:
    assert findings(COPY, {"name": "copy"}, {"name": "copy", "value": 0.0}) == []
    assert len(findings(COPY, {"name": "copy", "at": 9}, {"name": "copy", "value": 0.0, "at": 3})) == 1


def test_other_names_are_no_copies() -> None:
    assert findings(COPY, {"name": "copyright"}, {"name": "accepted"}) == []
