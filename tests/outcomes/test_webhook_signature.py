"""A signature holds for its body, its secret and its time, and for nothing else."""

import base64
import hashlib
import hmac

import pytest

from penstock.outcome_settings import WebhookSettings
from penstock.outcomes.webhook_signature import find_forgery
from tests.outcomes.hooks import NOW, SECRET, signature

BODY = b"Hello, World!"
HOOK = WebhookSettings()


def forgery(value, *, hook=HOOK, body=BODY, **headers):
    named = {hook.signature_header.lower(): value} if value is not None else {}
    return find_forgery(hook, SECRET.encode(), {**named, **headers}, body, NOW)


def test_the_example_that_github_gives_holds():
    assert signature(BODY) == "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert forgery("sha256=" + signature(BODY)) is None


@pytest.mark.parametrize("form", ["{hex}", "SHA256={HEX}", "sha256={base64}", "sha256=00, sha256={hex}", " sha256={hex} "])
def test_usual_ways_of_writing_it_hold(form):
    mac = signature(BODY)
    encoded = base64.b64encode(bytes.fromhex(mac)).decode()
    assert forgery(form.format(hex=mac, HEX=mac.upper(), base64=encoded)) is None


@pytest.mark.parametrize(
    "given", ["sha256=", "sha256=" + "0" * 64, "x", "é", "sha256=" + signature(BODY, "other"), "sha256=" * 100_000]
)
def test_anything_else_does_not(given):
    assert "does not fit" in forgery(given)


def test_a_missing_one_and_a_changed_body_do_not():
    assert "has no X-Hub-Signature-256" in forgery(None)
    assert "does not fit" in forgery("sha256=" + signature(BODY), body=BODY + b" ")


def test_the_hash_may_be_another():
    hook = WebhookSettings(signature_header="X-Hub-Signature", signature_prefix="sha1=", signature_hash="sha1")
    assert forgery("sha1=" + signature(BODY, hash_name="sha1"), hook=hook) is None
    assert forgery("sha1=" + signature(BODY), hook=hook) is not None


def test_a_time_that_is_signed_must_be_fresh_and_belong_to_the_signature():
    hook = WebhookSettings(signature_header="X-S", signature_prefix="", timestamp_header="X-T")

    def signed(stamp, said=None):
        mac = base64.b64encode(hmac.new(SECRET.encode(), stamp.encode() + BODY, hashlib.sha256).digest()).decode()
        return forgery(mac, hook=hook, **{"x-t": said if said is not None else stamp})

    assert signed(NOW.isoformat()) is None
    assert signed(str(int(NOW.timestamp()))) is None
    assert signed("2026-03-01T11:56:00Z") is None
    for stale in ("2026-03-01T11:54:00Z", "2026-03-01T12:06:00Z", "", "soon", "9" * 400):
        assert "missing or not within 300 s" in signed(stale)
    assert "does not fit" in signed("2026-03-01T11:56:00Z", said="2026-03-01T11:57:00Z")
