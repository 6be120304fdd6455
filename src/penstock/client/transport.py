"""The way to one edge: a POST, what was answered, how long to wait after it, and what it says is lost."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

TOO_LARGE = 413
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _LONGEST_ASKED_S = 0.5, 30.0, 3600.0
_MOST_DOUBLINGS = 10
_MOST_REASON_CHARACTERS = 300
_MAX_ANSWER_BYTES = 16 * 1024 * 1024

Loss = tuple[Sequence[bytes], str]  # reports, and why they will not arrive


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


def find_losses(batch: Sequence[bytes], answer: Answer) -> list[Loss]:
    """What of a batch the edge has decided not to take."""
    try:
        rejected = json.loads(answer.body)["rejected"]
        refused = [(int(item["index"]), str(item["error"])[:_MOST_REASON_CHARACTERS]) for item in rejected]
    except (ValueError, TypeError, KeyError, RecursionError):
        return [(batch, answer.reason())]
    return [(batch[index : index + 1], f"the edge refused it: {reason}") for index, reason in refused]
