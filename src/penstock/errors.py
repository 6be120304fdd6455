"""One error tree. A message says what happened, the value, and what to do about it.

PenstockError
├── ConfigurationError     a setting, flag or file is wrong
├── BadInputError          what a client or a file sent cannot be understood
├── NotFoundError          an id names nothing
├── ConflictError          a forbidden transition, a second writer, a broken invariant
├── StorageError           the lake, the registry or a disk cannot be read or written
│   └── SpoolFullError     the edge holds as much as it may until the lake takes some
├── UpstreamError          a model behind the gateway failed, hung or answered nonsense
├── TrainingError          a recipe crashed, hung or wrote nothing
├── EmptySelectionError    a rule or a query selected no row
└── MissingDependencyError an optional extra is not installed
"""


class PenstockError(Exception):
    """Base of every error a user can cause or mend; the CLI prints it without a traceback."""


class ConfigurationError(PenstockError):
    """A setting, flag or file is wrong."""


class BadInputError(PenstockError):
    """What a client or a file sent cannot be understood."""


class NotFoundError(PenstockError):
    """An id names nothing."""


class ConflictError(PenstockError):
    """A forbidden transition, a second writer, or a broken invariant."""


class StorageError(PenstockError):
    """The lake, the registry or a disk cannot be read or written."""


class SpoolFullError(StorageError):
    """The edge holds as much as it may until the lake takes some."""


class UpstreamError(PenstockError):
    """A model behind the gateway failed, hung or answered nonsense."""

    def __init__(self, message: str, *, kind: str = "protocol", status: int | None = None, body: bytes = b"") -> None:
        super().__init__(message)
        self.kind = kind  # refused, timeout, disconnected, status, protocol
        self.status = status  # where it answered at all
        self.body = body  # of an answer that was no success


class TrainingError(PenstockError):
    """A recipe crashed, hung or wrote nothing."""


class EmptySelectionError(PenstockError):
    """A rule or a query selected no row."""


class MissingDependencyError(PenstockError):
    """An optional extra is not installed."""
