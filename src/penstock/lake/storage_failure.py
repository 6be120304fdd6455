"""What deltalake, DuckDB, Arrow and the disk throw becomes one StorageError: what failed, where, and what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake.exceptions import DeltaError

from penstock.errors import StorageError
from penstock.lake.place import Place

_ADVICE = {
    "no space left": "The disk is full: free some space; nothing acknowledged is lost meanwhile.",
    "file too large": "The disk or a quota is full: free some space; nothing acknowledged is lost meanwhile.",
    "quota": "A disk quota is used up: free some space; nothing acknowledged is lost meanwhile.",
    "permission denied": "Give this user write access to the folder.",
    "read-only file system": "Mount it writable.",
    "not a directory": "A part of the path is a file: set another home, or move that file away.",
}
_ADVICE_DISK = "If it stays so, stop Penstock and start it again: it checks and repairs the table at its start."
_ADVICE_S3 = (
    "Check that the S3 API answers and that the key may read, write, list and delete there. "
    "Nothing acknowledged is lost meanwhile."
)
_CODES = {errno.ENOSPC: "no space left", errno.EFBIG: "file too large", errno.EDQUOT: "quota", errno.EACCES: "permission denied"}


@contextmanager
def storage_failures(action: str, path: Place | Path) -> Iterator[None]:
    """Translate every failure of the store within; `action` completes "Could not ..."."""
    try:
        yield
    except (DeltaError, OSError, pa.ArrowException, duckdb.Error) as error:
        raise StorageError(f"Could not {action} at {path}: {_reason(error)} {_advice(error, path)}") from error


def _reason(error: Exception) -> str:
    text = " ".join(str(error).partition("Debug source")[0].split()) or type(error).__name__
    return text if text.endswith(".") else text + "."


def _advice(error: Exception, path: Place | Path) -> str:
    code = error.errno if isinstance(error, OSError) else None
    text = f"{error} {_CODES.get(code or 0, '')}".lower()
    known = (advice for sign, advice in _ADVICE.items() if sign in text)
    return next(known, _ADVICE_S3 if str(path).startswith("s3://") else _ADVICE_DISK)
