"""One report as the edge takes it; what the edge would refuse is refused here, where it is said."""

import json
import math
import unicodedata
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

_TARGETS = ("request_id", "response_id", "trace_id", "session_id", "key")
# As the edge has them.
_MOST_NAME_CHARACTERS, _MOST_ID_CHARACTERS = 256, 1024
_TRACE_HEX, _SPAN_HEX = 32, 16
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_MOST_AHEAD = timedelta(days=1)


class About(TypedDict, total=False):
    """What a report is about, named in exactly one way, and what else can be said of it."""

    request_id: str
    response_id: str
    trace_id: str  # 32 hexadecimal digits
    span_id: str  # 16 hexadecimal digits; with trace_id
    session_id: str
    key: tuple[str, str]  # a business key: its name and its value
    occurred_at: datetime | str  # with a time zone, the text in ISO 8601; now when left out
    idempotency_key: str  # a new one when left out
    source: str
    metadata: Mapping[str, str | float | bool]


def build_report(name: str, value: float | None, text: str | None, about: About) -> bytes:
    """One report as JSON. Raises ValueError for what the edge would refuse."""
    if unknown := set(about) - set(About.__annotations__):
        raise TypeError(f"A report has no {', '.join(sorted(unknown))}; it has {', '.join(About.__annotations__)}.")
    report: dict[str, Any] = {**about, **_read_target(name, about), "name": read_name(name, "name of a report"), "value": value}
    if value is not None:
        require_number(value, f"value of {name!r}")
    if text is not None and not isinstance(text, str):
        raise ValueError(f"The text of {name!r} is {text!r:.100}; send a str.")
    report |= {"text": text, "occurred_at": _read_moment(about.get("occurred_at"))}
    idempotency_key = about.get("idempotency_key")
    report["idempotency_key"] = uuid.uuid4().hex if idempotency_key is None else _read_id(idempotency_key, "idempotency_key")
    if (source := about.get("source")) is not None:
        report["source"] = _read_id(source, "source", _MOST_NAME_CHARACTERS)
    report["metadata"] = _read_metadata(about.get("metadata"))
    said = {field: content for field, content in report.items() if content is not None}
    # Half a character, which a cut text can end in, would make the JSON of all reports beside it unreadable.
    return json.dumps(said, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _read_target(name: str, about: About) -> dict[str, Any]:
    """The fields by which a report names its target."""
    named = [target for target in _TARGETS if about.get(target) is not None]
    if len(named) != 1:
        given = " and ".join(named) or "none"
        raise ValueError(f"A report is about exactly one of {', '.join(_TARGETS)}; this {name!r} names {given}.")
    (target,) = named
    span_id = about.get("span_id")
    if target == "trace_id":
        trace_id = _read_id(about["trace_id"], "trace_id")
        bare = trace_id.strip().replace("-", "") if span_id is None else trace_id
        _require_hex(bare, "trace_id", _TRACE_HEX)
        if span_id is not None:
            _require_hex(_read_id(span_id, "span_id"), "span_id", _SPAN_HEX)
        return {"trace_id": trace_id}
    if span_id is not None:
        raise ValueError("span_id comes with trace_id.")
    if target == "key":
        return {"key": _read_key(about["key"])}
    given_ids: Mapping[str, Any] = {**about}
    return {target: _read_id(given_ids[target], target)}


def _read_key(key: Any) -> dict[str, str]:
    if not isinstance(key, tuple | list) or len(key) != 2:
        raise ValueError(f"key is {key!r:.100}; send a pair of its name and its value, such as ('ticket_id', 'T-1').")
    return {"name": read_name(key[0], "name of a key"), "value": _read_id(key[1], "value of a key")}


def read_name(name: Any, what: str) -> str:
    """A name as the edge takes it; ValueError for any other."""
    found = _read_id(name, what, _MOST_NAME_CHARACTERS)
    if not found.strip() or any(unicodedata.category(character) == "Cc" for character in found):
        raise ValueError(f"The {what} is {found!r}; send one that can be read: not blank, and without control characters.")
    return found


def _read_id(given: Any, what: str, most: int = _MOST_ID_CHARACTERS) -> str:
    if not isinstance(given, str):
        raise ValueError(f"The {what} is {given!r:.100}; send a str.")
    if not 0 < len(given) <= most:
        raise ValueError(f"The {what} has {len(given)} characters; between 1 and {most} are taken.")
    return given


def _require_hex(text: str, what: str, length: int) -> None:
    if len(text) != length or not set(text) <= _HEX_DIGITS:
        raise ValueError(f"The {what} is {text!r:.100}; send {length} hexadecimal digits.")


def require_number(value: Any, what: str) -> None:
    """Raise ValueError for what is no number, or none that a float holds."""
    try:
        is_sound = isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # from an int
        is_sound, value = False, "beyond what a float holds"
    if not is_sound:
        raise ValueError(f"The {what} is {value!r:.100}, which is no number in JSON; send a finite number.")


def _read_moment(given: Any) -> str:
    now = datetime.now(UTC)
    moment = given
    if given is None:
        moment = now
    elif isinstance(given, str):
        try:
            moment = datetime.fromisoformat(given.strip())
        except ValueError:
            raise ValueError(f"occurred_at={given!r:.100} is no ISO 8601 time; send datetime.now(UTC).") from None
    if not isinstance(moment, datetime):
        raise ValueError(f"occurred_at={given!r:.100} is no datetime; send one with a time zone, such as datetime.now(UTC).")
    if moment.tzinfo is None:
        raise ValueError(f"occurred_at={given} has no time zone; use datetime.now(UTC).")
    try:
        is_ahead = moment.astimezone(UTC) > now + _MOST_AHEAD
    except OverflowError:
        raise ValueError(f"occurred_at={given} lies outside the years 1 to 9999 of UTC; send when it happened.") from None
    if is_ahead:
        raise ValueError(f"occurred_at={given} lies more than a day ahead; send when it happened.")
    return moment.isoformat()


def _read_metadata(metadata: Any) -> dict[str, Any] | None:
    if metadata is None:
        return None
    if not isinstance(metadata, Mapping):
        raise ValueError(f"metadata is {metadata!r:.100}; send a mapping of names to texts, numbers, True or False.")
    for name, value in metadata.items():
        if not isinstance(name, str) or not isinstance(value, str | int | float | None):
            raise ValueError(f"metadata {name!r:.100} is {value!r:.100}; send a name with a text, a number, True or False.")
        if isinstance(value, int | float):
            require_number(value, f"metadata {name!r:.100}")
    return dict(metadata)
