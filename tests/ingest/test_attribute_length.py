"""Long attributes are cut, cheaply, and nothing personal slips through where they are."""

import pytest

from penstock.ingest.attribute_length import MOST_ATTRIBUTE_CHARACTERS as MOST
from penstock.ingest.attribute_length import OVERLAP, cut_after_redaction, cut_before_redaction
from penstock.ingest.redact import Redaction
from penstock.text.redaction import Redactor
from tests.ingest.test_redact import PERSONAL
from tests.rows import make_feedback, make_span, trace

REDACTION = Redaction(Redactor(b"k" * 32))


def stored(text: str) -> list[str]:
    """What is left of an attribute of a span, and of a report's metadata."""
    cut = cut_before_redaction({"big": text})
    (span,) = REDACTION.redact_spans([make_span(trace(1), "s", attributes=cut)])
    (report,) = REDACTION.redact_feedback([make_feedback("thumb", "request", "r", metadata=cut)])
    return [span.attributes["big"], report.metadata["big"]]


@pytest.mark.parametrize("filling", ["x", "mail j@example.com now "])
@pytest.mark.parametrize("border", [MOST, MOST + OVERLAP])
@pytest.mark.parametrize("value", PERSONAL.values())
def test_what_lies_across_a_cut_is_gone_or_masked(value: str, border: int, filling: str) -> None:
    half = border - 1 - len(value) // 2
    before = (filling * (half // len(filling) + 1))[:half]
    for text in stored(f"{before} {value} {'y' * 50_000}"):
        assert len(text) <= MOST + len("[TRUNCATED 1000000]")
        assert value[: len(value) // 2] not in text
        assert "\ufdd0" not in text


@pytest.mark.parametrize("extra", [1, OVERLAP, OVERLAP + 1, 5_000_000])
def test_a_long_text_without_personal_data_keeps_its_beginning_and_says_what_it_lost(extra: int) -> None:
    assert stored("z" * (MOST + extra)) == [f"{'z' * MOST}[TRUNCATED {extra}]"] * 2


def test_what_is_short_enough_stays_as_it_is() -> None:
    short = {"a": "z" * MOST, "b": ""}
    assert cut_before_redaction(short) == short
    assert cut_after_redaction(short) is None


def test_a_text_that_brings_the_mark_itself_loses_its_own_end_and_no_more() -> None:
    assert cut_after_redaction({"a": "secret \ufdd012\ufdd0", "b": "kept"}) == {"a": "[TRUNCATED 12]", "b": "kept"}


def test_a_huge_text_costs_what_a_long_one_costs() -> None:
    assert len(cut_before_redaction({"a": "1 " * 4_000_000})["a"]) < MOST + OVERLAP + 20
