"""A place on an S3 API: a key of a bucket. A PUT is whole and durable when it is answered, so nothing needs fsync or mending.

Folders are but the beginnings of keys. Conditional writes (If-Match, If-None-Match) carry Delta's commits and our leases.
"""

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

import duckdb
from obstore import open_writer
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import S3Store

from penstock.lake.lease import Lease, Watch
from penstock.lake.leased_gate import LeasedGate
from penstock.lake.place import Gate
from penstock.lake.s3_files import S3Files, S3Reader, S3Writer

_CONNECT_S, _REQUEST_S, _RETRIES, _RETRY_S = 5, 60, 5, 20  # well within a lease
_POLL_S = 0.25


class S3Bucket:
    """A bucket and how to reach it; survives being sent to another process."""

    def __init__(self, name: str, options: dict[str, str]) -> None:
        """`options` are those of AWS, in capitals."""
        self.name = name
        self.options = options

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "options": self.options}

    def __repr__(self) -> str:  # options hold the key
        return f"S3Bucket({self.name!r})"

    @cached_property
    def store(self) -> S3Store:
        """The client."""
        return S3Store(
            self.name,
            config={name.lower(): value for name, value in self.options.items() if name != "AWS_ALLOW_HTTP"},  # type: ignore[arg-type]
            client_options={
                "allow_http": "AWS_ALLOW_HTTP" in self.options,
                "connect_timeout": timedelta(seconds=_CONNECT_S),
                "timeout": timedelta(seconds=_REQUEST_S),
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_S)},
        )

    @cached_property
    def delta_options(self) -> dict[str, str]:
        """The same for deltalake; a commit is an entry that nobody else has written, which the bucket must be able to refuse."""
        return {
            **self.options,
            "aws_conditional_put": "etag",
            "connect_timeout": f"{_CONNECT_S}s",
            "timeout": f"{_REQUEST_S}s",
            "max_retries": str(_RETRIES),
            "retry_timeout": f"{_RETRY_S}s",
        }


class S3Place:
    """A key, which is a file where there is an object of that name, and a folder where there are objects below."""

    can_tear = False

    def __init__(self, bucket: S3Bucket, key: str, known: Any = None) -> None:
        """`known` is what a list has said of the object."""
        self._bucket = bucket
        self._key = key
        self._known = known

    def __str__(self) -> str:
        return f"s3://{self._bucket.name}/{self._key}".rstrip("/")

    def __repr__(self) -> str:
        return f"S3Place({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, S3Place) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __lt__(self, other: Any) -> bool:
        return str(self) < str(other)

    def __truediv__(self, name: str) -> "S3Place":
        return S3Place(self._bucket, f"{self._key}/{name}".lstrip("/"))

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self._key.rpartition("/")[2]

    @property
    def parent(self) -> "S3Place":
        """The key without its last part."""
        return S3Place(self._bucket, self._key.rpartition("/")[0])

    @property
    def delta_options(self) -> dict[str, str] | None:
        """What deltalake has to be told to open it."""
        return self._bucket.delta_options

    @property
    def tag(self) -> str:
        """The tag of the object's content."""
        return str(self._metadata()["e_tag"])

    def is_file(self) -> bool:
        """Whether there is such an object."""
        try:
            self._metadata()
        except FileNotFoundError:
            return False
        return True

    def is_dir(self) -> bool:
        """Whether there is any object below."""
        with _failures(self):
            return any(True for _ in self._bucket.store.list(self._key, chunk_size=1))

    def size_bytes(self) -> int:
        """How large the object is."""
        return int(self._metadata()["size"])

    def modified_s(self) -> float:
        """When the object was written, by the clock of S3, which often gives whole seconds."""
        return float(self._metadata()["last_modified"].timestamp())

    def read_bytes(self) -> bytes:
        """All of the object."""
        with _failures(self):
            return bytes(self._bucket.store.get(self._key).bytes())

    def parquet_source(self) -> Any:
        """A file that reads only what it is asked for."""
        return S3Reader(self._bucket.store, self._key, self.size_bytes())

    @contextmanager
    def parquet_sink(self) -> Iterator[Any]:
        """Sent in parts while it is written, and there once it is whole."""
        with _failures(self), open_writer(self._bucket.store, self._key) as file:
            yield S3Writer(file)

    def glob(self, pattern: str) -> Iterator["S3Place"]:
        """The objects right below whose names fit."""
        with _failures(self):
            found = self._bucket.store.list_with_delimiter(self._key)["objects"]
        places = (S3Place(self._bucket, known["path"], known) for known in found)
        return (place for place in places if fnmatchcase(place.name, pattern))

    def files(self) -> list["S3Place"]:
        """Every object below."""
        with _failures(self):
            return [S3Place(self._bucket, known["path"], known) for part in self._bucket.store.list(self._key) for known in part]

    def make_folder(self) -> None:
        """There are no folders."""

    def replace_durably(self, content: bytes) -> None:
        """A PUT."""
        with _failures(self):
            self._bucket.store.put(self._key, content)

    def move_to(self, target: "S3Place") -> None:
        """Copy, within S3, and delete."""
        with _failures(self):
            self._bucket.store.copy(self._key, target._key)
            self._bucket.store.delete(self._key)

    def unlink(self) -> None:
        """Delete the object; one that is not there is gone already."""
        with _failures(self):
            self._bucket.store.delete(self._key)

    def remove_all(self) -> None:
        """Delete every object below."""
        keys = [place._key for place in self.files()]
        with _failures(self):
            if keys:
                self._bucket.store.delete(keys)

    def synchronise(self) -> None:
        """What S3 has taken is durable."""

    def read_tagged(self) -> tuple[bytes, str] | None:
        """Content and tag; None where there is no such object."""
        try:
            with _failures(self):
                found = self._bucket.store.get(self._key)
                return bytes(found.bytes()), str(found.meta["e_tag"])
        except FileNotFoundError:
            return None

    def put_when(self, content: bytes, tag: str | None) -> str | None:
        """Write if the tag is still this one, or if there is no such object; the new tag, None where somebody was faster."""
        with _failures(self):
            try:
                written = self._bucket.store.put(self._key, content, mode="create" if tag is None else {"e_tag": tag})
            except (AlreadyExistsError, PreconditionError):
                return None
        return str(written["e_tag"])

    @contextmanager
    def exclusively(self, name: str) -> Iterator[None]:
        """Hold a lease."""
        place = self / name
        lease, watch = Lease(place), Watch()
        while not lease.try_acquire(watch):
            time.sleep(_POLL_S)
        try:
            yield
        finally:
            lease.release()

    def writers_gate(self) -> Gate:
        """A gate of leases."""
        return LeasedGate(self)

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a connection read this bucket."""
        connection.register_filesystem(S3Files(self._bucket.name, self._bucket.store))

    def _metadata(self) -> Any:
        if self._known is not None:
            return self._known
        with _failures(self):
            return self._bucket.store.head(self._key)


@contextmanager
def _failures(place: S3Place) -> Iterator[None]:
    """Every failure of S3 is an OSError, as one of a disk is."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "there is no such object", str(place)) from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise PermissionError(errno.EACCES, f"S3 refuses: {_first_words(error)}", str(place)) from error
    except BaseError as error:
        raise OSError(errno.EIO, f"S3 fails: {_first_words(error)}", str(place)) from error


def _first_words(error: Exception) -> str:
    return str(error).partition("\n\nDebug source")[0]
