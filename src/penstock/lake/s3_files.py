"""Reading Parquet files from S3: for pyarrow as one file, for DuckDB, whose wheel has no S3 of its own, as a file system."""

import io
from datetime import datetime
from typing import Any

from fsspec import AbstractFileSystem
from obstore.exceptions import BaseError
from obstore.store import S3Store

_MOST_KNOWN = 100_000
_REPLACED = "empty.parquet"  # the one file that may change under its name


class S3Reader(io.RawIOBase):
    """One object, of which each read fetches what it is asked for and no more."""

    def __init__(self, store: S3Store, key: str, size: int) -> None:
        self._store = store
        self._key = key
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set where the next read begins."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, or those that are left."""
        left = max(0, self._size - self._position)
        length = left if size is None or size < 0 else min(size, left)
        if length == 0:
            return b""
        content = bytes(_as_os_error(lambda: self._store.get_range(self._key, start=self._position, length=length)))
        self._position += len(content)
        return content

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there is something to read."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


class S3Writer(io.RawIOBase):
    """One object, sent in parts while it is written; there once the file that takes it is closed."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, content: Any) -> int:
        """All of it."""
        return int(_as_os_error(lambda: self._file.write(content)))


class S3Files(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The objects of a bucket for DuckDB to read, which asks for a path without its `s3://`."""

    protocol = "s3"
    cachable = False

    def __init__(self, bucket: str, store: S3Store) -> None:
        super().__init__()
        self._prefix = f"{bucket}/"
        self._store = store
        self._known: dict[str, Any] = {}  # no data file changes under its name, and each query would ask again

    def open(self, path: str, mode: str = "rb", **_: Any) -> S3Reader:
        """An object to read."""
        if mode != "rb":
            raise PermissionError(f"{path} can only be read.")
        return S3Reader(self._store, self._key(path), self.size(path))

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Size and time of an object."""
        known = self._metadata(self._key(path))
        return {"name": path, "size": known["size"], "type": "file", "mtime": known["last_modified"]}

    def size(self, path: str) -> int:
        """How large an object is."""
        return int(self._metadata(self._key(path))["size"])

    def modified(self, path: str) -> datetime:
        """When an object was written."""
        found: datetime = self._metadata(self._key(path))["last_modified"]
        return found

    def exists(self, path: str, **_: Any) -> bool:
        """Whether there is such an object."""
        try:
            self._metadata(self._key(path))
        except FileNotFoundError:
            return False
        return True

    def isfile(self, path: str) -> bool:
        """Whether there is such an object."""
        return self.exists(path)

    def isdir(self, _path: str) -> bool:
        """Never: files are read by their names."""
        return False

    def glob(self, path: str, **_: Any) -> list[str]:
        """The path itself, if there is such an object; the lake lists its files by itself."""
        return [path] if self.exists(path) else []

    def _key(self, path: str) -> str:
        return path.removeprefix("s3://").removeprefix(self._prefix)

    def _metadata(self, key: str) -> Any:
        found = self._known.get(key)
        if found is None:
            found = _as_os_error(lambda: self._store.head(key))
            if not key.endswith(_REPLACED):
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[key] = found
        return found


def _as_os_error(ask: Any) -> Any:
    try:
        return ask()
    except BaseError as error:
        raise OSError(str(error).partition("\n\nDebug source")[0]) from error
