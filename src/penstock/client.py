"""What a Python program imports to report what became of an answer: it keeps no caller waiting, and says what it could not send.

Reports wait in a bounded queue, and one thread sends them, many at once. Each has its idempotency key before it is first sent, so
that one sent twice counts once. This file imports the standard library alone, so that a program pays nothing else for it.
"""

import atexit
import json
import logging
import math
import os
import random
import threading
import time
import unicodedata
import uuid
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Self, TypedDict, Unpack
from urllib.parse import urlsplit

_TARGETS = ("request_id", "response_id", "trace_id", "session_id", "key")
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_TOO_LARGE = 413
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _LONGEST_ASKED_S = 0.5, 30.0, 3600.0
_MOST_DOUBLINGS = 10
_LAST_WORD_S = 0.5  # for the thread to say why it gave up
_MOST_REASONS = 20
_MOST_REASON_CHARACTERS = 300
_MAX_BATCH_BYTES = 1024 * 1024
_MAX_ANSWER_BYTES = 16 * 1024 * 1024
# As the edge has them; what it would refuse is refused where it is said.
_MOST_NAME_CHARACTERS, _MOST_ID_CHARACTERS = 256, 1024
_TRACE_HEX, _SPAN_HEX = 32, 16
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_MOST_AHEAD = timedelta(days=1)
_OUTCOME_PREFIX = "outcome."

Loss = tuple[Sequence[bytes], str]  # reports, and why they will not arrive

logger = logging.getLogger(__name__)


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


class LostReportsError(Exception):
    """Reports that will not arrive: how many, and why."""

    def __init__(self, reasons: Mapping[str, int]) -> None:
        self.reasons = dict(reasons)
        self.count = sum(self.reasons.values())
        told = "; ".join(f"{count} because {reason}" for reason, count in self.reasons.items())
        super().__init__(f"{self.count} reports are lost: {told}")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the edge answered, or why it did not."""

    status: int = 0  # 0: there was no answer
    body: bytes = b""
    retry_after: str | None = None
    failure: str = ""

    @property
    def invites_another_try(self) -> bool:
        """Whether the same reports may be taken later."""
        return self.status == 0 or self.status in _TRY_AGAIN

    def reason(self) -> str:
        """One sentence for a person."""
        if self.status == 0:
            return self.failure[:_MOST_REASON_CHARACTERS]
        text = self.body.decode("utf-8", "replace")
        return f"the edge answered {self.status}: {text[:_MOST_REASON_CHARACTERS]}"


def build_report(name: str, value: float | None, text: str | None, about: About) -> bytes:
    """One report as JSON. Raises ValueError for what the edge would refuse."""
    if unknown := set(about) - set(About.__annotations__):
        raise TypeError(f"A report has no {', '.join(sorted(unknown))}; it has {', '.join(About.__annotations__)}.")
    report: dict[str, Any] = {**about, **_read_target(name, about), "name": _read_name(name, "name of a report"), "value": value}
    if value is not None:
        _require_number(value, f"value of {name!r}")
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
    return {"name": _read_name(key[0], "name of a key"), "value": _read_id(key[1], "value of a key")}


def _read_name(name: Any, what: str) -> str:
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


def _require_number(value: Any, what: str) -> None:
    """Refuse what is no number, or none that a float holds."""
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
            _require_number(value, f"metadata {name!r:.100}")
    return dict(metadata)


def pause_s(failures: int, retry_after: str | None, now: datetime, draw: float) -> float:
    """How long to wait after so many failures in a row, as the edge asks or doubling; `draw` (0..1) keeps clients apart."""
    asked = _seconds_asked(retry_after, now)
    if asked is not None:
        return min(max(asked, 0.0), _LONGEST_ASKED_S) * (1 + draw / 10)
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures, _MOST_DOUBLINGS)) * (1 + draw) / 2


def _seconds_asked(retry_after: str | None, now: datetime) -> float | None:
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()


class Transport:
    """Posts to one address. It follows no redirect, which would turn a report into a question and carry the key elsewhere."""

    def __init__(self, edge_url: str, api_key: str | None) -> None:
        parts = urlsplit(edge_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"The edge's address {edge_url!r} must be a URL such as http://127.0.0.1:4318.")
        self._connection_type = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/") + "/v1/feedback"
        self._headers = {"Content-Type": "application/json", "User-Agent": "penstock-client"}
        if api_key:
            if not (api_key.isascii() and api_key.isprintable()):
                raise ValueError("The API key holds a line break or another character that no key has.")
            self._headers["Authorization"] = f"Bearer {api_key}"

    def post(self, body: bytes, timeout_s: float) -> Answer:
        """Send, and wait for the answer."""
        connection = self._connection_type(self._host, self._port, timeout=timeout_s)
        try:
            connection.request("POST", self._path, body, self._headers)
            response = connection.getresponse()
            body = response.read(_MAX_ANSWER_BYTES)
            return Answer(status=response.status, body=body, retry_after=response.headers.get("Retry-After"))
        except (OSError, HTTPException, UnicodeError) as error:  # the last for a host that cannot be one
            return Answer(failure=f"{self._host} cannot be reached: {type(error).__name__} {error}")
        finally:
            connection.close()


class FeedbackClient:
    """Sends reports to one edge; for use by many threads, and in processes that fork."""

    def __init__(
        self,
        edge_url: str = "http://127.0.0.1:4318",
        *,
        api_key: str | None = None,
        interval_s: float = 1.0,
        max_batch: int = 500,
        max_queued_bytes: int = 16 * 1024 * 1024,
        timeout_s: float = 10.0,
        on_lost: Callable[[Sequence[Mapping[str, Any]], str], None] | None = None,
    ) -> None:
        """`on_lost` gets reports that will not arrive and why, in whichever thread finds out."""
        self._transport = Transport(edge_url, api_key)
        self._interval_s = interval_s
        self._max_batch = max_batch
        self._max_queued_bytes = max_queued_bytes
        self._timeout_s = timeout_s
        self._on_lost = on_lost
        self._begin()
        os.register_at_fork(after_in_child=partial(_begin_in_child, weakref.ref(self)))
        atexit.register(self._close_at_exit)

    def _begin(self) -> None:
        """Start from nothing, as a forked child must: what its parent had queued is the parent's to send."""
        self._changed = threading.Condition()  # guards everything below
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._under_way: list[bytes] = []
        self._lost: Counter[str] = Counter()
        self._is_telling = False  # of losses that are counted already
        self._hurrying = 0  # callers of flush
        self._closes_at: float | None = None  # when closing gives up
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def copy(self, text: str | None = None, **about: Unpack[About]) -> None:
        """The answer, or this part of it, was copied."""
        self.report("copy", 1, text, **about)

    def edit(self, final_text: str, **about: Unpack[About]) -> None:
        """The answer was changed, and this is what was kept."""
        self.report("edited", None, final_text, **about)

    def offer(self, **about: Unpack[About]) -> None:
        """The answer was shown, and nobody has decided about it yet."""
        self.report("offered", **about)

    def silent(self, **about: Unpack[About]) -> None:
        """The model chose to offer nothing."""
        self.report("silent", 1, **about)

    def accept(self, part: str | None = None, **about: Unpack[About]) -> None:
        """The answer was accepted as offered, or this part of it."""
        if part is None:
            self.report("accepted", 1, **about)
        else:
            self.report("partly_accepted", None, part, **about)

    def reject(self, **about: Unpack[About]) -> None:
        """The answer was rejected."""
        self.report("rejected", 0, **about)

    def ignore(self, **about: Unpack[About]) -> None:
        """The answer was seen and passed over."""
        self.report("ignored", 0, **about)

    def revert(self, **about: Unpack[About]) -> None:
        """The answer had been accepted and was taken out again."""
        self.report("reverted", 0, **about)

    def retention(
        self, delay_s: int, share: float | None = None, standing_text: str | None = None, **about: Unpack[About]
    ) -> None:
        """So long after it was accepted this share of the answer still stood, from 0 to 1, or this text."""
        _require_number(delay_s, "delay of a retention")
        if delay_s < 0:
            raise ValueError(f"A retention is looked at after its acceptance, not {delay_s} seconds after; send 0 or more.")
        if share is not None:
            _require_number(share, "share of a retention")
            if not 0 <= share <= 1:
                raise ValueError(f"A share runs from 0 to 1, not {share}.")
        about["metadata"] = {**(about.get("metadata") or {}), "delay_s": str(int(delay_s))}
        self.report("retention", share, standing_text, **about)

    def regenerate(self, **about: Unpack[About]) -> None:
        """Somebody asked for another answer to the same request."""
        self.report("regenerate", 1, **about)

    def rating(self, value: float, comment: str | None = None, **about: Unpack[About]) -> None:
        """Somebody said how good it was, from -1 to 1, or whether it was good."""
        if isinstance(value, bool):
            value = 1 if value else -1
        _require_number(value, "rating")
        if not -1 <= value <= 1:
            raise ValueError(
                f"A rating runs from -1 to 1, not {value}; for other scales, use report with the name score or stars."
            )
        self.report("rating", value, comment, **about)

    def comment(self, text: str, **about: Unpack[About]) -> None:
        """Somebody said this of it, without a rating."""
        self.report("comment", None, text, **about)

    def outcome(self, name: str, value: float | None = None, text: str | None = None, **about: Unpack[About]) -> None:
        """What became of it later: outcome("tests", 1) is reported as outcome.tests, and so is outcome("outcome.tests", 1)."""
        bare = _read_name(name, "name of an outcome").removeprefix(_OUTCOME_PREFIX)
        self.report(_OUTCOME_PREFIX + _read_name(bare, "name of an outcome"), value, text, **about)

    def dwell(self, seconds: float, **about: Unpack[About]) -> None:
        """How long somebody had it before their eyes."""
        _require_number(seconds, "dwell")
        if seconds < 0:
            raise ValueError(f"A dwell of {seconds} seconds cannot be; send 0 or more.")
        self.report("dwell", seconds, **about)

    def left(self, **about: Unpack[About]) -> None:
        """Somebody left while it was before them."""
        self.report("left", 1, **about)

    def report(self, name: str, value: float | None = None, text: str | None = None, **about: Unpack[About]) -> None:
        """Queue a report of any name. Raises ValueError for what the edge would refuse, and never waits."""
        content = build_report(name, value, text, about)
        with self._changed:
            if self._closes_at is not None:
                raise RuntimeError(f"The client is closed, so this report about {name!r} cannot be sent.")
            is_taken = self._queued_bytes + len(content) <= self._max_queued_bytes
            if is_taken:
                self._queue.append(content)
                self._queued_bytes += len(content)
                self._start_thread()
                self._changed.notify_all()
        if not is_taken:
            self._lose([content], f"the queue is full, with {self._max_queued_bytes} bytes")

    def flush(self, timeout_s: float = 30.0) -> None:
        """Wait until everything queued is sent. Raises LostReportsError for what was lost since last asked, or TimeoutError."""
        with self._changed:
            self._hurrying += 1
            self._changed.notify_all()
            is_done = self._changed.wait_for(self._is_idle, timeout_s)
            self._hurrying -= 1
            waiting = len(self._queue) + len(self._under_way)
        self._raise_losses()
        if not is_done:
            raise TimeoutError(f"{waiting} reports still wait after {timeout_s} s; the client goes on trying to send them.")

    def close(self, timeout_s: float = 10.0) -> None:
        """Send what is queued and end; what cannot be sent in this time is lost. Raises LostReportsError as `flush` does."""
        atexit.unregister(self._close_at_exit)
        with self._changed:
            if self._closes_at is None:
                self._closes_at = time.monotonic() + timeout_s
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s + _LAST_WORD_S)
        with self._changed:
            self._is_closed = True
            unanswered, unsent = list(self._under_way), list(self._queue)
            self._under_way, self._queue, self._queued_bytes = [], deque(), 0
        self._lose(unanswered, "the client was closed before the edge had answered")
        self._lose(unsent, "the client was closed before it could be sent")
        self._raise_losses()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            self.close()
        except LostReportsError:
            if kind is None:
                raise  # else the error that ended the block says more, and the loss is in the log

    def _close_at_exit(self) -> None:
        try:
            self.close()
        except LostReportsError:
            return  # told in the log when it happened

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="penstock-feedback", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while batch := self._next_batch():
            self._send(batch)

    def _next_batch(self) -> list[bytes]:
        """Wait for reports, and a little longer for more of them; nothing when the client is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closes_at is not None)
            self._changed.wait_for(self._must_send, self._interval_s)
            batch: list[bytes] = []
            size = 0
            while self._queue and len(batch) < self._max_batch and not self._gives_up():
                if batch and size + len(self._queue[0]) > _MAX_BATCH_BYTES:
                    break
                batch.append(self._queue.popleft())
                size += len(batch[-1])
            self._queued_bytes -= size
            self._under_way = list(batch)
            return batch

    def _is_idle(self) -> bool:
        return not (self._queue or self._under_way or self._is_telling)

    def _must_send(self) -> bool:
        is_full = len(self._queue) >= self._max_batch or self._queued_bytes >= _MAX_BATCH_BYTES
        return is_full or self._hurrying > 0 or self._closes_at is not None

    def _gives_up(self) -> bool:
        return self._closes_at is not None and time.monotonic() >= self._closes_at

    def _send(self, batch: list[bytes]) -> None:
        """Send until the edge has decided about every report, or closing gives up."""
        failures = 0
        while (answer := self._post(batch)).invites_another_try:
            if failures == 0:
                logger.warning("%s reports wait for another try: %s", len(batch), answer.reason())
            pause = pause_s(failures, answer.retry_after, datetime.now(UTC), random.random())  # noqa: S311  # no secret
            failures += 1
            if not self._rest(pause):
                self._settle(batch, [(batch, f"the client was closed before it could be sent; {answer.reason()}")])
                return
        if answer.status == _TOO_LARGE and len(batch) > 1:
            half = len(batch) // 2
            self._send(batch[:half])
            self._send(batch[half:])
        else:
            self._settle(batch, find_losses(batch, answer))

    def _post(self, batch: Iterable[bytes]) -> Answer:
        closes_at = self._closes_at
        left_s = self._timeout_s if closes_at is None else closes_at - time.monotonic()
        return self._transport.post(b"[" + b",".join(batch) + b"]", max(0.05, min(self._timeout_s, left_s)))

    def _rest(self, seconds: float) -> bool:
        """Wait so long, but not beyond the end; tells whether it is worth another try."""
        until = time.monotonic() + seconds
        with self._changed:
            while (left_s := until - time.monotonic()) > 0:
                if self._closes_at is not None:
                    left_s = min(left_s, self._closes_at - time.monotonic())
                if self._gives_up():
                    return False
                self._changed.wait(max(0.0, left_s))
            return not self._gives_up()

    def _settle(self, batch: Sequence[bytes], losses: Iterable[Loss]) -> None:
        """Count what became of a batch, unless closing did not wait for it and has counted it."""
        with self._changed:
            if self._is_closed:
                return
            del self._under_way[: len(batch)]
            news = [(loss, self._count(*loss)) for loss in losses]
            self._is_telling = True
        for loss, is_news in news:
            self._tell(*loss, is_news=is_news)
        with self._changed:
            self._is_telling = False
            self._changed.notify_all()

    def _lose(self, reports: Sequence[bytes], reason: str) -> None:
        if reports:
            self._tell(reports, reason, is_news=self._count(reports, reason))

    def _count(self, reports: Sequence[bytes], reason: str) -> bool:
        """Note a loss; tells whether it is the first for this reason."""
        with self._changed:
            is_news = reason not in self._lost
            is_counted_apart = not is_news or len(self._lost) < _MOST_REASONS
            self._lost[reason if is_counted_apart else "of other reasons, which the log has"] += len(reports)
            return is_news

    def _tell(self, reports: Sequence[bytes], reason: str, *, is_news: bool) -> None:
        if is_news:
            logger.warning("Feedback is lost: %s", reason)
        if self._on_lost is not None:
            try:
                self._on_lost([json.loads(report) for report in reports], reason)
            except Exception:
                logger.exception("on_lost failed")

    def _raise_losses(self) -> None:
        with self._changed:
            lost, self._lost = self._lost, Counter()
        if lost:
            raise LostReportsError(lost)


def find_losses(batch: Sequence[bytes], answer: Answer) -> list[Loss]:
    """What of a batch the edge has decided not to take."""
    try:
        rejected = json.loads(answer.body)["rejected"]
        refused = [(int(item["index"]), str(item["error"])[:_MOST_REASON_CHARACTERS]) for item in rejected]
    except (ValueError, TypeError, KeyError, RecursionError):
        return [(batch, answer.reason())]
    return [(batch[index : index + 1], f"the edge refused it: {reason}") for index, reason in refused]


def _begin_in_child(client: "weakref.ref[FeedbackClient]") -> None:
    if (found := client()) is not None:
        found._begin()
