"""Reading a suggestion's fate."""

import pytest

from penstock.signals.acceptance import fate


@pytest.mark.parametrize(
    ("name", "value", "text", "state", "share"),
    [
        ("accepted", None, None, "accepted", 1.0),
        ("reject", None, None, "rejected", 0.0),
        ("reverted", None, None, "rejected", 0.0),
        ("offered", None, None, "offered", None),
        ("acceptance", None, "Accepted", "accepted", 1.0),
        ("acceptance", None, "offered", "offered", None),
        ("acceptance", 1.0, None, "accepted", 1.0),
        ("acceptance", 0.0, None, "rejected", 0.0),
        ("acceptance", 0.4, None, "edited", 0.4),
        ("edited", 0.4, None, "edited", 0.4),
    ],
)
def test_a_fate_is_read_from_name_text_or_value(
    name: str, value: float | None, text: str | None, state: str, share: float | None
) -> None:
    found = fate(name, value, text, "abcd")
    assert (found.state, found.value) == (state, share)


def test_of_an_edited_suggestion_the_share_that_was_kept_counts() -> None:
    assert fate("edited", None, "abcd and more", "abcd").value == 1.0
    assert fate("edited", None, "ab", "abcd").value == 0.5
    assert fate("edited", None, "xy", "abcd").value == 0.0


def test_what_cannot_be_read_has_a_reason_instead_of_a_value() -> None:
    assert fate("acceptance", None, None, "abcd").reason == "neither a state nor a value"
    assert fate("acceptance", 7.0, None, "abcd").reason == "7 is outside 0..1"
    assert fate("edited", None, "ab", None).reason == "the offered or the final text is missing"
