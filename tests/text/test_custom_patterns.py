"""Kinds of the user's own are found like all others, in JSON and in batches, and never inside a placeholder."""

import json

import pytest

from penstock.policy_settings import RedactSettings
from penstock.text.custom_patterns import CustomPatterns
from penstock.text.redaction import FAILED, Redactor
from tests.text.detected import detected

PATTERNS = {
    "employee": "EMP-[0-9]{6}",
    "project": "(?i)projekt (?:wasserfäll|blau)e?",
    "number": "[0-9]{4}",
    "line": "^Geheim: .*$",
}
REDACTOR = Redactor(b"k" * 32, RedactSettings(patterns=PATTERNS, modes={"employee": "hash"}))


def test_every_pattern_finds_its_kind_and_the_first_in_the_file_wins() -> None:
    custom = CustomPatterns(PATTERNS)
    assert detected(custom, "EMP-123456 on Projekt Wasserfälle, 1234") == [
        ("EMP-123456", "employee"), ("Projekt Wasserfälle", "project"), ("1234", "number")
    ]  # fmt: skip
    assert detected(custom, "a\nGeheim: x 1\nb") == [("Geheim: x 1", "line")]
    assert detected(custom, "nothing") == []


def test_custom_kinds_are_taken_out_by_their_mode_and_counted() -> None:
    text = json.dumps({"who": "EMP-123456", "mail": "jane@example.com"})
    masked, counts = REDACTOR.redact(text, "s")
    assert masked is not None
    assert counts == {"employee": 1, "email": 1}
    assert json.loads(masked)["who"].startswith("[EMPLOYEE_HASH_")
    assert REDACTOR.redact(masked, "s") == (masked, {})


def test_a_pattern_that_fits_a_placeholder_does_not_eat_it() -> None:
    redactor = Redactor(b"k" * 32, RedactSettings(patterns={"word": "[A-Z]{5}", "digits": "[0-9]{1,4}"}))
    masked, _ = redactor.redact("jane@example.com 17 HELLO", "s")
    assert redactor.redact(masked, "s") == (masked, {})


@pytest.mark.parametrize("texts", [[b"", b"EMP-123456", b""], [b"a", b"Geheim: x", b"b"], [b"1234", b"no", b"5678"]])
def test_custom_kinds_are_suspected_in_a_batch(texts: list[bytes]) -> None:
    expected = [index for index, text in enumerate(texts) if REDACTOR.redact(text.decode(), "s")[1]]
    assert expected
    assert set(expected) <= set(REDACTOR.find_suspects(texts))


def test_a_pattern_that_fails_drops_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = Redactor(b"k" * 32, RedactSettings(patterns=PATTERNS))
    monkeypatch.setattr(redactor._custom, "find", lambda _: 1 / 0)
    assert redactor.find_suspects([b"a", b"b"]) == [0, 1]
    assert redactor.redact("harmless", "s") == (FAILED, {"failed": 1})
