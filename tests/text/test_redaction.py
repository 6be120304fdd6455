"""Redaction masks what is personal, leaves the rest, keeps JSON valid, changes nothing the second time, and fails closed."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.policy_settings import RedactSettings
from penstock.text.email_addresses import EmailAddresses
from penstock.text.patterns import Found
from penstock.text.redaction import FAILED, Redactor

REDACTOR = Redactor(b"k" * 32)

PERSONAL = {
    "mail jane.doe+x@mail.example.co.uk now": "email",
    "Пишите на jörg@münchen.de.": "email",
    "call +1 415 555 0134": "phone",
    "call (415) 555-0134 x22": "phone",
    "call +44 20 7946 0958": "phone",
    "call 0049 30 901820": "phone",
    "电话13812345678。": "phone",
    "card 4111 1111 1111 1111": "card",
    "card 4111-1111-1111-1111": "card",
    "card 378282246310005": "card",
    "ssn 536-22-8712": "ssn",
    "from 203.0.113.7:443": "ip",
    "from [2001:db8::8a2e:370:7334]": "ip",
    "key sk-abcdefghijklmnopqrstuvwx": "secret",
    "key AKIAIOSFODNN7EXAMPLE": "secret",
    "token ghp_abcdefghijklmnopqrstuvwxyz0123456789": "secret",
    "Authorization: Bearer abcdef0123456789abcdef": "secret",
    "postgres://user:hunter22@db/x": "url_password",
    "DB_PASSWORD=correct9horse8battery": "secret",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----": "private_key",
    "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc_def": "jwt",
}

HARMLESS = [
    "",
    "The meeting is on 2026-11-23 at 14:05:33, room 12.",
    "due 11/23/2026 or 23.11.2026",
    "pi is 3.14159265358979 and a score 0.4155550134 0.8123456789",
    "at 1795416471752092938 ns, 1795416471 s",
    "order A-1001 of 2,500,000 items, 100 200 300 400 500",
    "std::vector<int> a; d::ab(0x1f); 12:34:56",
    "password = read_password()",
    "version 1.2.3, build 20261123",
    "card 4111 1111 1111 1112",
    "@property def email(self): ...",
    "react@18.2.0",
]


@pytest.mark.parametrize(("text", "kind"), PERSONAL.items())
def test_what_is_personal_is_masked_and_counted_by_kind(text: str, kind: str) -> None:
    masked, counts = REDACTOR.redact(text, "s")
    assert counts == {kind: 1}
    assert masked is not None
    assert f"[{kind.upper()}_" in masked


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_personal_is_left_alone(text: str) -> None:
    assert REDACTOR.redact(text, "s") == (text, {})


@pytest.mark.parametrize(
    "text",
    [
        '{"to": "jane\\u0040example.com"}',
        '{"to": "jane%40example.com"}',
        '{"to": "jane&#64;example.com"}',
        '{"to": "jane＠example.com"}',
        '{"to": "jane@ex\\u00e4mple.com"}',
        '{"note": "a\\n4155550134\\n"}',
        '{"note": "\\u7535\\u8bdd4155550134"}',
        '{"note": "415\\u00a0555\\u00a00134"}',
        '{"note": "415\\u2013555\\u20130134"}',
        '{"note": "tel:415\\/555\\/0134"}',
        '{"note": "４１５５５５０１３４"}',
        '{"note": "\\uff14155550134"}',
        '{"arguments": "{\\"to\\": \\"jane@example.com\\"}"}',
        '{"arguments": "{\\"to\\": \\"jane\\\\u0040example.com\\"}"}',
        '{"card": 4111111111111111}',
        '{"jane@example.com": 1}',
        '["123456789@qq.com"]',
        '{"api_key": "abcdef0123456789"}',
        '{"header": ["authorization", {"api_key": "Bearer abcdef0123456789"}]}',
    ],
)
def test_json_stays_valid_and_no_escape_hides_anything(text: str) -> None:
    assert REDACTOR.find_suspects([b"before", text.encode(), b"after"]) == [1]
    masked, counts = REDACTOR.redact(text, "s")
    assert masked is not None
    assert sum(counts.values()) >= 1
    shown = json.dumps(json.loads(masked), ensure_ascii=False)
    for secret in ("jane", "5550134", "555", "4111111111111111", "qq.com", "0123456789"):
        assert secret not in shown


def test_a_long_number_that_json_holds_as_a_number_becomes_a_string_only_where_it_is_personal() -> None:
    masked, _ = REDACTOR.redact('{"at": 1795416471752, "card": 4111111111111111, "mail": "a@b.co"}', "s")
    assert masked is not None
    tree = json.loads(masked)
    assert tree["at"] == 1795416471752
    assert tree["card"].startswith("[CARD_")


def test_of_two_equal_keys_the_one_that_is_read_by_nobody_is_not_kept_either() -> None:
    assert REDACTOR.redact('{"a": "jane@example.com", "a": "nothing"}', "s") == ('{"a":"nothing"}', {})


def test_a_placeholder_is_the_same_for_the_same_value_in_a_session_and_tells_nothing_across_sessions() -> None:
    first, _ = REDACTOR.redact("jane@example.com", "one")
    assert REDACTOR.redact("JANE@example.com", "one")[0] == first
    assert REDACTOR.redact("joan@example.com", "one")[0] != first
    assert len({REDACTOR.redact("jane@example.com", f"session {number}")[0] for number in range(20)}) > 10
    assert REDACTOR.redact("call (415) 555-0134", "one")[0] == REDACTOR.redact("call 415-555-0134", "one")[0]


def test_a_placeholder_ends_a_word_and_what_it_lays_bare_is_masked_too() -> None:
    masked, counts = REDACTOR.redact("a@b.co4155550134", "s")
    assert counts == {"email": 1, "phone": 1}
    assert REDACTOR.redact(masked, "s") == (masked, {})


def test_half_a_surrogate_pair_never_reaches_a_row() -> None:
    masked, _ = REDACTOR.redact("\ud800 and jane@example.com", "s")
    assert masked is not None
    masked.encode()
    masked, _ = REDACTOR.redact('{"a": "\\ud800", "b": "jane@example.com"}', "s")
    assert masked is not None
    masked.encode()
    assert "jane" not in masked


class Raising:
    """A detector that comes upon something that it cannot bear."""

    proposal = b"boom"

    def find(self, data: bytes) -> list[Found]:
        raise RuntimeError(f"cannot read {data!r}")


def test_a_detector_that_raises_costs_the_text_and_nothing_else() -> None:
    redactor = Redactor(b"k" * 32, detectors=[EmailAddresses(), Raising()])
    assert redactor.find_suspects([b"calm", b"a boom", b"jane@example.com"]) == [1, 2]
    assert redactor.redact("jane@example.com, boom", "s") == (FAILED, {"failed": 1})
    assert redactor.redact('{"a": "boom", "b": "jane@example.com"}', "s") == (FAILED, {"failed": 1})
    assert redactor.redact("jane@example.com", "s")[1] == {"email": 1}
    assert redactor.redact("calm", "s") == ("calm", {})
    assert redactor.redact_id("boom", "session").startswith("s_")


@pytest.mark.parametrize("mode", ["hash", "drop", "keep"])
def test_modes_are_chosen_by_kind(mode: str) -> None:
    redactor = Redactor(b"k" * 32, RedactSettings(modes={"email": mode}))
    masked, counts = redactor.redact("a jane@example.com b 10.1.2.3", "s")
    assert masked is not None
    assert "[IP_" in masked
    assert counts == ({"ip": 1} if mode == "keep" else {"email": 1, "ip": 1})
    assert ("jane@example.com" in masked) is (mode == "keep")
    assert masked.startswith({"hash": "a [EMAIL_HASH_", "drop": "a  b", "keep": "a jane"}[mode])
    assert redactor.redact(masked, "s") == (masked, {})


def test_a_join_key_is_hashed_whatever_the_mode_of_its_kind() -> None:
    for mode in ("mask", "hash", "drop"):
        redactor = Redactor(b"k" * 32, RedactSettings(modes={"email": mode}))
        assert redactor.redact_id("jane@example.com", "session") == redactor.hash_id("jane@example.com", "session")


def test_what_a_dropped_value_lays_bare_is_found_too() -> None:
    redactor = Redactor(b"k" * 32, RedactSettings(modes={"email": "drop", "card": "drop"}))
    masked, _ = redactor.redact("411111a@b.co1111111111", "s")
    assert masked is not None
    assert "4111111111111111" not in masked


TRACE = """Traceback (most recent call last):
  File "/home/jdoe/app/main.py", line 3, in <module>
    send(to="jane@example.com", token="ghp_abcdefghijklmnopqrstuvwxyz0123456789")
ConnectionError: postgres://admin:hunter2@10.1.2.3:5432/db refused
  request headers: {'Authorization': 'Bearer abcdef0123456789abcdef', 'Cookie': 'sid=31d4d96e407aad42', 'X-Trace': 'ok'}
"""


def test_stack_traces_and_headers_keep_their_form_and_lose_what_is_personal() -> None:
    masked, counts = REDACTOR.redact(TRACE, "s")
    assert counts == {"username": 1, "email": 1, "secret": 3, "url_password": 1, "ip": 1}
    assert masked is not None
    for gone in ("jdoe", "jane", "ghp_", "hunter2", "10.1.2.3", "abcdef0123", "31d4d"):
        assert gone not in masked
    assert "line 3, in <module>" in masked
    assert "'X-Trace': 'ok'" in masked
    headers, counts = REDACTOR.redact('{"authorization": "x", "cookie": ["a", "b"], "accept": "*/*"}', "s")
    assert headers is not None
    assert counts == {"secret": 3}
    assert json.loads(headers)["accept"] == "*/*"


@pytest.mark.timeout(60)  # time that grows with the square of the length would be minutes
def test_a_very_large_text_takes_no_more_than_its_share_of_time() -> None:
    prose = "the quick brown fox jumps over 12 lazy dogs at 10:15 on 2026-11-24, version 1.2.3 of it; " * 90
    text = json.dumps([{"role": "user", "content": prose * 1000 + "jane@example.com"}])
    masked, counts = REDACTOR.redact(text, "s")
    assert counts == {"email": 1}
    assert masked is not None
    assert len(masked) > 8_000_000


def test_a_text_that_cannot_be_redacted_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = Redactor(b"k" * 32)
    monkeypatch.setattr(redactor, "_mask", lambda *_: 1 / 0)
    assert redactor.redact("jane@example.com", "s") == (FAILED, {"failed": 1})
    assert redactor.redact(None, "s") == (None, {})


def test_suspects_are_found_wherever_they_stand_among_many_texts() -> None:
    texts = [b"", b"nothing", b"a@b.co", b"", b"resp-1-1795416471752092938", b"4155550134", b"password", b"abc0123456789", b"end"]
    assert REDACTOR.find_suspects(texts) == [2, 5, 6, 7]
    assert REDACTOR.find_suspects([]) == []


def test_an_id_with_something_personal_becomes_a_hash_that_joins() -> None:
    assert REDACTOR.redact_id("resp-000006", "response") == "resp-000006"
    hashed = REDACTOR.redact_id("jane@example.com", "session")
    assert hashed == REDACTOR.redact_id("jane@example.com", "session") == REDACTOR.hash_id("jane@example.com", "session")
    assert hashed.startswith("s_")
    assert Redactor(b"other" * 8).hash_id("jane", "user") != REDACTOR.hash_id("jane", "user")


PIECES = st.sampled_from(
    [*PERSONAL, *HARMLESS, "[EMAIL_17]", "[PHONE_9999]", "@", ".", "-", " ", "\n", "4155550134", "x", "0", "1 ", "password:", "://",
     "Bearer ", "\\u0040", "%40", "％", '"', "{", "[", "\\", "/", "+", "(", ")", "::", "\x1e", "é", "sk-", "=", "'"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=8).map("".join))


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_redacting_twice_changes_nothing(text: str) -> None:
    masked, _ = REDACTOR.redact(text, "s")
    assert REDACTOR.redact(masked, "s") == (masked, {})


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(TEXTS, st.recursive(TEXTS, lambda inner: st.lists(inner, max_size=3)).map(json.dumps)), max_size=5))
def test_what_is_masked_one_by_one_is_suspected_in_a_batch(texts: list[str]) -> None:
    suspects = set(REDACTOR.find_suspects([text.encode("utf-8", "replace") for text in texts]))
    assert {index for index, text in enumerate(texts) if REDACTOR.redact(text, "s")[1]} <= suspects


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), TEXTS, st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


@settings(deadline=None, max_examples=300)
@given(JSON_VALUES, st.booleans())
def test_json_in_is_json_out(value: object, ascii_only: bool) -> None:
    masked, _ = REDACTOR.redact(json.dumps([value], ensure_ascii=ascii_only), "s")
    assert masked is not None
    json.loads(masked)


@given(st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=12))
def test_no_detector_proposes_anything_in_a_plain_word(word: str) -> None:
    assert Redactor(b"k" * 32).find_suspects([word.encode()]) == []
