from penstock.signals.other_feedback import OTHER_FEEDBACK
from tests.signals.reported import findings


def test_a_name_that_no_definition_reads_is_a_signal_of_its_own() -> None:
    found = findings(OTHER_FEEDBACK, {"name": "helpfulness", "value": 4.0}, {"name": "tone", "text": "curt"})
    assert {(one.name, one.value, one.text) for one in found} == {
        ("feedback.helpfulness", 4.0, None),
        ("feedback.tone", None, "curt"),
    }


def test_names_that_others_read_are_left_to_them() -> None:
    known = ("thumbs", "copied", "accepted", "silent", "outcome.tests")
    assert findings(OTHER_FEEDBACK, *({"name": name, "value": 1.0} for name in known)) == []
