"""Edits, through the definition itself."""

from typing import Any

import pytest

from penstock.formats.foreign_report import BOOLEAN_SCALE
from penstock.signals.definition import Finding
from penstock.signals.edit import EDIT
from tests.signals.reported import findings

OFFERED = "one two three four five six seven eight nine ten"


def edit(final: str | None, **report: Any) -> Finding:
    (found,) = findings(EDIT, {"name": "edited", "text": final, "response_text": OFFERED, **report})
    return found


@pytest.mark.parametrize(
    ("final", "share", "kind"),
    [
        (OFFERED, 0.0, "verbatim"),
        ("one two three four five six seven eight nine eleven", 0.1, "light"),
        ("one two three four five six seven", 0.3, "edited"),
        ("one two", 0.8, "rewrite"),
        ("", 1.0, "discard"),
        ("nothing of it is left", 1.0, "discard"),
    ],
)
def test_an_edit_has_a_share_of_the_words_and_a_class(final: str, share: float, kind: str) -> None:
    found = edit(final)
    assert (found.value, found.evidence["class"]) == (pytest.approx(share), kind)
    assert (found.text, found.kind, found.definition if hasattr(found, "definition") else None) == (final, "implicit", None)


def test_the_evidence_counts_words_and_characters_and_what_survives() -> None:
    found = edit("one two 3 four five six seven eight nine Ten and more")
    assert found.evidence["words"] == "4"
    assert found.evidence["word_edit_rate"] == f"{3 / 12:.4f}"  # as HTER has it, whatever the case
    assert found.evidence["survival"] == "0.8000"
    assert found.evidence["characters"] == str(5 + 1 + 9)


def test_a_block_that_was_moved_is_one_edit() -> None:
    found = edit("six seven eight nine ten one two three four five")
    assert (found.value, found.evidence["words"], found.evidence["survival"]) == (0.1, "1", "0.5000")


def test_formatting_alone_is_verbatim_and_named() -> None:
    offered = "* he said  “no”\n* and – that\twas **it**"
    found = edit('- he said "no" - and - that was it', response_text=offered)
    assert (found.value, found.evidence["class"], found.evidence["characters"]) == (0.0, "verbatim", "0")
    assert found.evidence["formatting"] == "quotes, dashes, bold, bullets, white space"
    assert "formatting" not in edit(OFFERED).evidence


@pytest.mark.parametrize("name", ["final_text", "sent", "Published", "submitted"])
def test_what_went_out_in_the_end_is_a_final_text_as_well(name: str) -> None:
    found = edit("one two three four five", name=name)
    assert (found.value, found.evidence["reported_as"]) == (0.5, name)
    assert findings(EDIT, {"name": name, "value": 1.0, "response_text": OFFERED}) == []


def test_the_last_final_text_counts_and_an_acceptance_after_it_changes_nothing() -> None:
    reports = [{"name": name, "text": text, "response_text": OFFERED} for name, text in (("edited", "one"), ("sent", OFFERED))]
    (found,) = findings(EDIT, *reports, {"name": "accepted", "response_text": OFFERED})
    assert (found.value, found.feedback_id) == (0.0, "f1")


def test_where_only_a_share_kept_is_known_the_rest_was_changed() -> None:
    found = edit(None, value=0.75)
    assert (found.value, found.evidence["class"], found.evidence["compared"]) == (0.25, "edited", "the share kept, as reported")
    assert edit(None, value=0.0).evidence["class"] == "discard"
    assert edit("no offer to compare with", value=1.0, response_text=None).value == 0.0


def test_without_anything_to_compare_there_is_no_edit() -> None:
    assert (
        findings(EDIT, {"name": "edited", "text": "new", "response_text": None}, {"name": "edited", "value": 7.0, "at": -1}) == []
    )
    assert findings(EDIT) == []


def test_of_huge_texts_the_beginning_is_compared() -> None:
    found = edit("word " * 40_000 + "end", response_text="word " * 40_000)
    assert (found.value, found.evidence["compared"]) == (0.0, "the first 20000 characters")


def test_what_was_taken_out_as_personal_is_no_edit_however_it_is_numbered() -> None:
    offered = "Write to [EMAIL_171] and [EMAIL_9] or call [PHONE_12]"
    same = edit("Write to [EMAIL_8020] and [EMAIL_4] or call [PHONE_3]", response_text=offered)
    assert (same.value, same.evidence["class"], same.evidence["characters"]) == (0.0, "verbatim", "0")
    other = edit("Write to [EMAIL_8020] and [PHONE_4] or call [PHONE_3]", response_text=offered)
    assert other.value is not None
    assert other.value > 0.0


def test_edited_that_is_false_kept_all_of_it_and_true_without_a_text_tells_no_share() -> None:
    truth = {"metadata": list(BOOLEAN_SCALE.items()), "text": None}
    found = edit(None, value=0.0, metadata=truth["metadata"])
    assert (found.value, found.evidence["class"]) == (0.0, "verbatim")
    assert findings(EDIT, {"name": "edited", "value": 1.0, "response_text": OFFERED, **truth}) == []
    assert edit("one two three four five", value=1.0, metadata=truth["metadata"]).value == 0.5
    assert edit("one two three four five", value=0.0, metadata=truth["metadata"]).value == 0.5  # the text tells more
    assert findings(EDIT, {"name": "edited", "value": 1.0, **truth, "text": "no offer to compare with"}) == []
