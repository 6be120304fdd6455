from penstock.signals.other_feedback import OTHER_FEEDBACK
from tests.signals.reported import findings


def test_a_name_that_no_definition_reads_is_a_signal_of_its_own() -> None:
    found = findings(OTHER_FEEDBACK, {"name": "helpfulness", "value": 4.0}, {"name": "tone", "text": "curt"})
    assert {(one.name, one.value, one.text) for one in found} == {
        ("feedback.helpfulness", 4.0, None),
        ("feedback.tone", None, "curt"),
    }


def test_names_that_others_read_are_left_to_them() -> None:
    known = (
        "thumbs", "copied", "accepted", "silent", "outcome.tests", "dwell", "retention", "ignored", "partial", "regenerate",
        "comment",
    )  # fmt: skip
    assert findings(OTHER_FEEDBACK, *({"name": name, "value": 1.0} for name in known)) == []


def test_a_name_that_means_a_final_text_is_left_to_others_only_where_it_has_one() -> None:
    (found,) = findings(OTHER_FEEDBACK, {"name": "sent", "text": "the letter"}, {"name": "published", "value": 1.0})
    assert found.name == "feedback.published"
