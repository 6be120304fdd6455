from penstock.signals.comment import COMMENT
from tests.signals.reported import findings


def test_words_by_themselves_have_no_value() -> None:
    (found,) = findings(COMMENT, {"name": "Comment", "text": "too long"})
    assert (found.name, found.value, found.text, found.kind) == ("comment", None, "too long", "explicit")


def test_words_with_a_rating_have_its_value() -> None:
    (found,) = findings(COMMENT, {"name": "thumbs", "value": 0.0, "text": "it kept asking the same"})
    assert (found.value, found.text, found.evidence["reported_as"]) == (-1.0, "it kept asking the same", "thumbs")
    (found,) = findings(COMMENT, {"name": "stars", "text": "up", "metadata": [("comment", "fine by me")]})
    assert (found.value, found.text) == (1.0, "fine by me")


def test_a_rating_that_is_a_word_and_an_empty_comment_say_nothing_and_hide_nothing() -> None:
    reports = ({"name": "comment", "text": "good work"}, {"name": "rating", "text": "Up"}, {"name": "comment", "text": " "})
    (found,) = findings(COMMENT, *reports, {"name": "rating", "value": 1.0})
    assert found.text == "good work"
