"""E-mail addresses are found whole, also international ones; versions and decorators are none."""

import pytest

from penstock.text.email_addresses import EmailAddresses
from tests.text.detected import detected

EMAILS = EmailAddresses()


@pytest.mark.parametrize(
    "address",
    [
        "a.b+c@sub.example.co.uk",
        "user_name@ex-ample.io",
        "jörg@münchen.de",
        "o'neil@example.museum",
        "1234567@qq.com",
        "x@пример.рф",
        "x@xn--mnchen-3ya.de",
    ],
)
def test_addresses_are_found_whole_wherever_they_stand(address: str) -> None:
    for text in (address, f"<{address}>,", f"mail {address}.", f"mailto:{address}?subject=x", f'{{"to":"{address}"}}'):
        assert detected(EMAILS, text) == [(address, "email")]


@pytest.mark.parametrize(
    "text",
    ["icon@2x.png", "react@18.2.0-beta.rc", "@property", "foo@bar", "a@.com", "a@b..com", "@", "@@", "me@ example.com", "a@b."],
)
def test_what_has_an_at_sign_but_is_no_address_is_left_alone(text: str) -> None:
    assert detected(EMAILS, text) == []


def test_addresses_side_by_side_are_two() -> None:
    assert detected(EMAILS, "a@b.co,c@d.org") == [("a@b.co", "email"), ("c@d.org", "email")]
    assert detected(EMAILS, "a@b.co@d.org") == [("a@b.co", "email")]
