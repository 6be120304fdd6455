"""What became of a suggestion, through the definition itself."""

from typing import Any

import msgspec
import pytest

from penstock.formats.foreign_report import BOOLEAN_SCALE
from penstock.records.interaction import Interaction
from penstock.signals.acceptance import ACCEPTANCE
from penstock.signals.definition import Finding
from tests.rows import make_interaction
from tests.signals.reported import findings

OFFERED = "sort the list and return it"


def fate(**report: Any) -> Finding:
    (found,) = findings(ACCEPTANCE, {"response_text": OFFERED, **report})
    return found


@pytest.mark.parametrize(
    ("name", "value", "text", "state", "share"),
    [
        ("accepted", None, None, "accepted", 1.0),
        ("reject", None, None, "rejected", 0.0),
        ("reverted", None, None, "reverted", 0.0),
        ("ignored", None, None, "ignored", 0.0),
        ("offered", None, None, "offered", None),
        ("offered", 1.0, None, "offered", None),
        ("acceptance", None, "Accepted", "accepted", 1.0),
        ("acceptance", None, "offered", "offered", None),
        ("acceptance", 1.0, None, "accepted", 1.0),
        ("acceptance", 0.0, None, "rejected", 0.0),
        ("acceptance", 0.4, None, "partly accepted", 0.4),
        ("acceptance", 1.0, "rejected", "rejected", 0.0),
        ("acceptance", 1.0, "some words", "accepted", 1.0),
        ("edited", 0.4, None, "edited", 0.4),
        ("Partly_Accepted", 0.25, None, "partly accepted", 0.25),
    ],
)
def test_a_fate_is_read_from_name_text_or_value(
    name: str, value: float | None, text: str | None, state: str, share: float | None
) -> None:
    found = fate(name=name, value=value, text=text)
    assert (found.evidence["state"], found.value) == (state, share)


@pytest.mark.parametrize("name", ["accepted", "Accept", "rejected", "ignored", "reverted", "partial", "edited"])
def test_a_verdict_that_is_false_is_none(name: str) -> None:
    found = fate(name=name, value=0.0, metadata=list(BOOLEAN_SCALE.items()))
    assert (found.value, found.evidence["state"]) == (None, "taken back")
    assert found.evidence["reason"] == f"{name.lower()} was taken back"


@pytest.mark.parametrize("name", ["edited", "partial"])
def test_that_it_was_edited_is_no_share_of_it(name: str) -> None:
    found = fate(name=name, value=1.0, metadata=list(BOOLEAN_SCALE.items()))
    assert (found.value, found.evidence["reason"]) == (None, "the offered or the final text is missing")
    assert fate(name=name, value=1.0).value == 1.0
    assert fate(name="acceptance", value=1.0, metadata=list(BOOLEAN_SCALE.items())).value == 1.0


def test_accepted_with_zero_is_no_verdict_and_rejected_with_zero_is_one() -> None:
    assert fate(name="accepted", value=0.0).value is None
    assert fate(name="rejected", value=0.0).value == 0.0
    assert fate(name="rejected", value=1.0, metadata=list(BOOLEAN_SCALE.items())).value == 0.0
    assert fate(name="acceptance", value=0.0, metadata=list(BOOLEAN_SCALE.items())).value == 0.0
    (found,) = findings(ACCEPTANCE, {"name": "accepted", "value": 1.0}, {"name": "accepted", "value": 0.0})
    assert found.value is None


def test_of_an_edited_suggestion_the_share_that_was_kept_counts() -> None:
    assert fate(name="edited", text=OFFERED + " twice").value == 1.0
    assert fate(name="edited", text="sort the list").value == 0.5
    assert fate(name="edited", text="wholly other words").value == 0.0
    assert fate(name="partial", text="sort the", value=0.9).value == pytest.approx(2 / 6)


def test_a_word_that_was_cut_short_is_kept_in_part() -> None:
    assert fate(name="edited", text="ab", response_text="abcd").value == 0.5


def test_what_cannot_be_read_has_a_reason_instead_of_a_value() -> None:
    unread = [fate(name="acceptance"), fate(name="acceptance", value=7.0), fate(name="edited", text="ab", response_text=None)]
    assert [found.value for found in unread] == [None] * 3
    assert [found.evidence["reason"] for found in unread] == [
        "neither a state nor a value",
        "a value outside 0..1",
        "the offered or the final text is missing",
    ]


def test_the_last_verdict_counts_and_neither_an_offer_nor_having_been_ignored_is_one_beside_it() -> None:
    (found,) = findings(ACCEPTANCE, {"name": "accepted"}, {"name": "reverted"}, {"name": "ignored"}, {"name": "offered"})
    assert (found.evidence["state"], found.value, found.feedback_id) == ("reverted", 0.0, "f1")
    (found,) = findings(ACCEPTANCE, {"name": "ignored"}, {"name": "offered"})
    assert found.evidence["state"] == "ignored"


def session(*starts: float) -> list[Interaction]:
    return [make_interaction(number, start=start, session_id="s") for number, start in enumerate(starts)]


def test_an_offer_without_a_verdict_is_ignored_once_its_session_went_on_and_is_over() -> None:
    (found,) = findings(ACCEPTANCE, {"name": "offered"}, turns=session(-43_200 - 5, 43_200))
    assert (found.value, found.evidence["state"]) == (None, "ignored")
    assert found.evidence["inferred"] == "its session went on without a verdict"


@pytest.mark.parametrize("turns", [session(-5), session(-5, 86_400 * 2 + 43_200 - 60), []])
def test_an_offer_is_no_more_than_that_while_its_session_is_open_or_where_it_was_the_last_word(turns: list[Interaction]) -> None:
    (found,) = findings(ACCEPTANCE, {"name": "offered"}, turns=turns)
    assert (found.value, found.evidence["state"]) == (None, "offered")
    assert "inferred" not in found.evidence


def test_a_verdict_outranks_what_the_session_says() -> None:
    (found,) = findings(ACCEPTANCE, {"name": "accepted"}, {"name": "offered"}, turns=session(-5, 50_000))
    assert (found.value, found.evidence["state"]) == (1.0, "accepted")


def test_silence_is_another_signal() -> None:
    assert findings(ACCEPTANCE, {"name": "acceptance", "text": "silent"}, {"name": "silent"}) == []


def test_what_a_shadow_or_a_judge_said_is_not_how_a_session_went_on() -> None:
    first, later = session(-5, 50_000)
    for aside in ("shadow", "judge"):
        (found,) = findings(ACCEPTANCE, {"name": "offered"}, turns=[first, msgspec.structs.replace(later, exposure=aside)])
        assert found.evidence["state"] == "offered"
