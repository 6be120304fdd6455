"""What is allowed stays as it is: exact values, patterns that match the whole, domains, and kinds that are kept."""

import pytest

from penstock.policy_settings import RedactSettings
from penstock.text.allowances import Allowances
from penstock.text.redaction import Redactor

SETTINGS = RedactSettings(
    allow=["Help@Example.com", "127.0.0.1"],
    allow_patterns=[r"10\.\d+\.\d+\.\d+", "(?i)test-é+"],
    allow_domains=["example.org", "@münchen.de"],
    modes={"mac": "keep"},
)
ALLOWANCES = Allowances(SETTINGS)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", "help@example.com"),
        ("ip", "127.0.0.1"),
        ("ip", "10.1.2.3"),
        ("email", "x@example.org"),
        ("email", "X@mail.EXAMPLE.org"),
        ("email", "x@MÜNCHEN.de"),
        ("mac", "anything"),
        ("secret", "TEST-ÉÉ"),
    ],
)
def test_allowed_values_stay(kind: str, value: str) -> None:
    assert ALLOWANCES.allow(kind, value.encode())


@pytest.mark.parametrize(
    ("kind", "value"),
    [("email", "helper@example.com"), ("ip", "110.1.2.3"), ("ip", "10.1.2.3.4x"), ("email", "x@notexample.org"), ("ip", "10.1")],
)
def test_what_is_only_like_an_allowed_value_is_taken_out(kind: str, value: str) -> None:
    assert not ALLOWANCES.allow(kind, value.encode())


def test_the_redactor_leaves_what_is_allowed_and_takes_out_the_rest() -> None:
    redactor = Redactor(b"k" * 32, SETTINGS)
    masked, counts = redactor.redact("a@example.org b@example.net 10.0.0.1 11.0.0.1 00:1b:44:11:3a:b7", "s")
    assert counts == {"email": 1, "ip": 1}
    assert masked is not None
    assert masked.startswith("a@example.org [EMAIL_")
    assert "10.0.0.1" in masked
    assert masked.endswith("00:1b:44:11:3a:b7")
    assert redactor.redact_id("a@example.org", "session") == "a@example.org"
