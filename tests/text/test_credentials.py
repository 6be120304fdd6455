"""Keys of vendors are known by their shape, other secrets by what they are assigned to; code that reads one is no secret."""

import pytest

from penstock.text.credentials import Credentials
from tests.text.detected import detected

CREDENTIALS = Credentials()
HEX = "0123456789abcdef"


@pytest.mark.parametrize(
    "key",
    [
        "sk-ant-api03-AbCdEf0123456789_abc-def",
        "sk-abcdefghijklmnopqrstuvwx",
        "AKIAIOSFODNN7EXAMPLE",
        "glpat-AbCdEfGhIjKlMnOpQrSt",
        "github_pat_11ABCDEFG0abcdefghijkl_mno",
        "xoxb-123456789012-abcdefABCDEF",
        "AIzaSyA0123456789abcdefghijklmnopqrstu",
        "hf_AbCdEfGhIjKlMnOpQrStUvWx",
        "gsk_AbCdEfGhIjKlMnOpQrStUvWx",
        "nvapi-AbCdEfGhIjKlMnOpQrStUvWx",
        "lsv2_pt_abcdef0123456789abcdef",
        "SG.abcdefghijklmnopqrst.abcdefghijklmnopqrst",
        f"dapi{HEX * 2}",
        f"SK{HEX * 2}",
        f"shpat_{HEX * 2}",
        f"key-{HEX * 2}",
        f"{HEX * 2}-us12",
        f"hooks.slack.com/services/T{'0' * 8}/B{'0' * 8}/{'X' * 12}",
        "r8_AbCdEfGhIjKlMnOpQrStUvWx",
        "sk_live_abcdefghij0",
    ],
)
def test_keys_of_the_common_vendors_are_found(key: str) -> None:
    for text in (key, f"my key is {key} ok", f"KEY={key}\n", f"(x,{key})"):
        assert detected(CREDENTIALS, text) == [(key, "secret")]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password=hunter2", "hunter2"),
        ("password: P@ssw0rd!", "P@ssw0rd!"),
        ('{"api_key": "abc123def456"}', "abc123def456"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZDE=", "dXNlcjpwYXNzd29yZDE="),
        ("Cookie: sid=31d4d96e407a; theme=light", "sid=31d4d96e407a; theme=light"),
        ("Set-Cookie: id=a3fWa; Secure", "id=a3fWa; Secure"),
        ("x: Bearer abcdef0123456789abcdef", "abcdef0123456789abcdef"),
        ("GET /x?a=1&token=abcdef0123456789abcd", "abcdef0123456789abcd"),
        ("client_secret => 'a1b2c3d4e5'", "a1b2c3d4e5"),
    ],
)
def test_what_is_assigned_sent_or_carried_is_found_without_its_name(text: str, secret: str) -> None:
    assert detected(CREDENTIALS, text) == [(secret, "secret")]


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("https://admin:s3cret@host/x", "s3cret"),
        ("redis://:pass@localhost:6379", "pass"),
        ("postgres://u:p@ss:w0rd@db/x", "p@ss:w0rd"),
    ],
)
def test_the_password_in_a_url_is_found_and_the_rest_stays(url: str, password: str) -> None:
    assert detected(CREDENTIALS, url) == [(password, "url_password")]


def test_tokens_and_private_keys_are_kinds_of_their_own() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----"
    assert detected(CREDENTIALS, f"a {token} b {key} c") == [(token, "jwt"), (key, "private_key")]
    cut = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow"
    assert detected(CREDENTIALS, f"x {cut}") == [(cut, "private_key")]


@pytest.mark.parametrize(
    "text",
    [
        "password = read_password1()",
        "The password must have 8 characters",
        "secret: none",
        "sk-toggleable__label-arrow sk-estimator",
        "token=os.environ['X1']",
        "password=${PASSWORD1}",
        "password=$PASS1",
        "http://localhost:8080/a@b",
        "authorization: https://x.org/v2",
        "Basic knowledge of everything",
        "pk_orders_customer_name_x",
        "cookie: two eggs",
        "https://example.com/?key=short1",
    ],
)
def test_what_only_speaks_of_secrets_is_left_alone(text: str) -> None:
    assert detected(CREDENTIALS, text) == []


def test_a_key_or_url_that_is_assigned_is_found_within_what_is_refused() -> None:
    assert detected(CREDENTIALS, "password=sk-abcdefghijklmnopqrstuvwx") == [("sk-abcdefghijklmnopqrstuvwx", "secret")]
    assert detected(CREDENTIALS, "secret=postgres://u:hunter2@db/x") == [("hunter2", "url_password")]


@pytest.mark.parametrize(
    "filling", ["A-sk-", "password=", "password=://", "://a:b", "bearer " + "a" * 20, "-----BEGIN PRIVATE KEY-----"]
)
@pytest.mark.timeout(60)  # time that grows with the square of the length would be minutes
def test_hostile_text_takes_linear_time(filling: str) -> None:
    found = CREDENTIALS.find((filling * (12_000_000 // len(filling))).encode())
    assert len(found) <= 12_000_000 // len(filling)
