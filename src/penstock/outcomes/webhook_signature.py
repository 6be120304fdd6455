"""Whether an event was signed by who shares a secret with us: an HMAC of the body, compared in constant time."""

import base64
import hmac
import re
from collections.abc import Mapping
from datetime import datetime

from penstock.errors import BadInputError
from penstock.formats.report_time import read_time
from penstock.outcome_settings import WebhookSettings

_MOST_SIGNATURES = 8  # in one header, while a sender changes its secret


def find_forgery(settings: WebhookSettings, secret: bytes, headers: Mapping[str, str], body: bytes, now: datetime) -> str | None:
    """Why the signature does not hold; None where it does."""
    given = headers.get(settings.signature_header.lower(), "").strip()
    if not given:
        return f"It has no {settings.signature_header}."
    signed = body
    if settings.timestamp_header:
        stamp = headers.get(settings.timestamp_header.lower(), "").strip()
        if not _is_fresh(stamp, now, settings.max_age_s):
            return f"Its {settings.timestamp_header} is missing or not within {settings.max_age_s:g} s of now."
        signed = stamp.encode("utf-8", "surrogateescape") + body
    mac = hmac.digest(secret, signed, settings.signature_hash)
    expected = (mac.hex().encode(), base64.b64encode(mac))
    matches = [
        hmac.compare_digest(signature, one) for signature in _signatures(given, settings.signature_prefix) for one in expected
    ]
    return None if any(matches) else f"Its {settings.signature_header} does not fit the body and our secret."


def _signatures(given: str, prefix: str) -> list[bytes]:
    words = [word for word in re.split(r"[,\s]+", given) if word][:_MOST_SIGNATURES]
    bare = [word[len(prefix) :] if prefix and word.lower().startswith(prefix.lower()) else word for word in words]
    return [(word.lower() if re.fullmatch("[0-9A-Fa-f]+", word) else word).encode("utf-8", "replace") for word in bare]


def _is_fresh(stamp: str, now: datetime, max_age_s: float) -> bool:
    try:
        moment = read_time(float(stamp) if stamp.isascii() and stamp.isdigit() else stamp)
    except (BadInputError, OverflowError):
        return False
    return abs((now - moment).total_seconds()) <= max_age_s
