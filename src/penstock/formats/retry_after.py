"""Retry-After, as HTTP has it: seconds or a date."""

import email.utils
import math
from datetime import UTC, datetime


def read_retry_after_s(header: str | None) -> float | None:
    """The delay that the header asks for; None where it asks for none that can be understood."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        pass
    else:
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
