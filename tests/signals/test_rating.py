"""Reading ratings on their scales."""

import pytest

from penstock.signals.rating import rate


@pytest.mark.parametrize(
    ("name", "value", "text", "metadata", "expected"),
    [
        ("rating", 0.5, None, {}, 0.5),
        ("rating", -1.0, None, {}, -1.0),
        ("thumbs", 1.0, None, {}, 1.0),
        ("thumbs", 0.0, None, {}, -1.0),
        ("thumb", None, "down", {}, -1.0),
        ("Thumbs_Up", None, None, {}, 1.0),
        ("score", 0.75, None, {}, 0.5),
        ("stars", 5.0, None, {}, 1.0),
        ("stars", 3.0, None, {}, 0.0),
        ("rating", 8.0, None, {"minimum": "0", "maximum": "10"}, 0.6),
    ],
)
def test_every_scale_is_stretched_to_minus_one_to_one(
    name: str, value: float, text: str, metadata: dict[str, str], expected: float
) -> None:
    rating, reason = rate(name, value, text, metadata)
    assert rating == pytest.approx(expected)
    assert reason is None


def test_what_fits_no_scale_has_a_reason_instead_of_a_value() -> None:
    assert rate("rating", 4.0, None, {}) == (None, "4 is outside -1..1; send metadata minimum and maximum")
    assert rate("rating", None, "so-so", {}) == (None, "it has no value")
    assert rate("thumbs_up", 0.0, None, {}) == (None, "thumbs_up was taken back")


def test_a_scale_that_is_none_is_passed_over() -> None:
    assert rate("rating", 0.5, None, {"minimum": "1", "maximum": "1"}) == (0.5, None)
    assert rate("rating", 0.5, None, {"minimum": "low", "maximum": "high"}) == (0.5, None)
