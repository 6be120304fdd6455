"""Why a request is not served. Each endpoint writes a refusal in its own encoding; which status means what is decided here.

Storage that cannot take data is always 503 with Retry-After, never 500: an exporter drops what was answered with 500.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from penstock.errors import BadInputError, PenstockError, StorageError

RETRY_AFTER_S = 2
MOST_MESSAGE_CHARACTERS = 2000  # of a sentence that a client must be able to read in its log

_CANONICAL_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 413: 8, 415: 3, 422: 3, 503: 14}
_UNKNOWN_CODE = 2

logger = logging.getLogger(__name__)


class RefusedError(PenstockError):
    """An HTTP status other than success, and the sentence that explains it."""

    def __init__(self, status: int, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def canonical_code(self) -> int:
        """Its code as google.rpc.Status and gRPC have it."""
        return _CANONICAL_CODES.get(self.status, _UNKNOWN_CODE)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The response headers that belong to it."""
        headers = []
        if self.retry_after_s is not None:
            headers.append((b"retry-after", str(self.retry_after_s).encode()))
        if self.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        return headers


class ClientGoneError(PenstockError):
    """The client closed its connection: nobody is left to answer."""


def refuse(error: PenstockError) -> RefusedError:
    """The refusal that an error amounts to."""
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, BadInputError):
        return RefusedError(400, str(error))
    if isinstance(error, StorageError):
        return RefusedError(503, str(error), retry_after_s=RETRY_AFTER_S)
    return RefusedError(503, f"Penstock could not take the request: {error}", retry_after_s=RETRY_AFTER_S)


@contextmanager
def inviting_a_second_try(what: str) -> Iterator[None]:
    """Make of whatever was not foreseen a refusal that lets the sender try again, and log it; `what` names the request.

    The one place where the edge catches everything: an answer that forbids a second try would lose the sender's data.
    """
    try:
        yield
    except PenstockError:
        raise
    except Exception as error:
        logger.exception("%s failed", what)
        raise PenstockError("see its log.") from error
