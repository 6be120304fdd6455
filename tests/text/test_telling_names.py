"""The name of a field tells what its value is, where it need not look like it."""

import json

import pytest

from penstock.text.redaction import Redactor
from penstock.text.telling_names import is_credential_name, is_personal_name, is_telling_name, kind_by_name

REDACTOR = Redactor(b"k" * 32)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("phone", "4673395", "phone"),
        ("user.phoneNumber", "98 76 54", "phone"),
        ("ssn", "536228712", "ssn"),
        ("dateOfBirth", "1985-03-12T00:00", "birth_date"),
        ("birth_date", "12 March 85", "birth_date"),
        ("billingAddress", "Kiannonkatu 98", "address"),
        ("passport_number", "X12345", "national_id"),
        ("guest.passportId", "C01X00T47", "national_id"),
        ("ssn_id", "536228712", "ssn"),
        ("driver_license_id", "D1234567", "national_id"),
        ("password", "correct horse", "secret"),
        ("Set-Cookie", "a", "secret"),
        ("http.request.header.x-api-key", "a", "secret"),
    ],
)
def test_the_whole_value_is_what_its_name_says(name: str, value: str, kind: str) -> None:
    assert kind_by_name(name, value) == kind
    assert is_telling_name(name)
    text = json.dumps({"x": [{name: value}]})
    assert REDACTOR.find_suspects([b"a", text.encode(), b"b"]) == [1]
    masked, counts = REDACTOR.redact(text, "s")
    assert masked is not None
    assert counts == {kind: 1}
    assert json.loads(masked)["x"][0][name].startswith(f"[{kind.upper()}_")
    assert REDACTOR.redact(masked, "s") == (masked, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("phone", "iPhone 15"),
        ("phone", "string"),
        ("server.address", "db-7"),
        ("date_of_birth", "unknown"),
        ("ssn", "hidden"),
        ("telephones", "4673395"),
        ("total_tokens", "4673395"),
        ("password", ""),
    ],
)
def test_a_value_that_cannot_be_it_is_looked_at_like_any_other(name: str, value: str) -> None:
    assert kind_by_name(name, value) is None


@pytest.mark.parametrize("name", ["order_id", "input_tokens", "traceId", "total_count", "build number".replace(" ", "_")])
def test_a_number_under_a_counting_name_is_no_phone_number(name: str) -> None:
    for value in (4155550134, "4155550134"):
        text = json.dumps({name: value})
        masked, counts = REDACTOR.redact(text, "s")
        assert counts == {}
        assert json.loads(masked or "") == {name: value}


def test_names_of_secrets_persons_and_counts_are_told_apart() -> None:
    assert is_credential_name("http.header.authorization")
    assert not is_credential_name("gen_ai.usage.input_tokens")
    assert is_personal_name("enduser.phone")
    assert not is_personal_name("server.address")
    assert not is_telling_name("content")
