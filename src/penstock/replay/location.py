"""Where a log lies: a path on the disk, or an s3:// URL, which is read through Arrow's own S3 client as a stream.

Credentials, region and endpoint come from where AWS's tools look for them: the AWS_* variables and ~/.aws.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow
from msgspec import Struct
from pyarrow import fs

from penstock.errors import BadInputError

S3 = "s3://"
_BUFFER_BYTES = 4 * 1024 * 1024  # each read that it cannot serve is a request


class S3Object(Struct, frozen=True):
    """One object; it has the parts of Path's interface that reading a log needs."""

    key: str  # bucket/key

    @property
    def name(self) -> str:
        """The last part of its key."""
        return PurePosixPath(self.key).name

    @property
    def suffix(self) -> str:
        """The end of its name."""
        return PurePosixPath(self.key).suffix

    def __str__(self) -> str:
        return S3 + self.key

    @contextmanager
    def open(self, _mode: str = "rb") -> Iterator[Any]:
        """Its bytes."""
        with s3_failures(str(self)), s3_filesystem().open_input_file(self.key) as file:
            yield io.BufferedReader(file, _BUFFER_BYTES)

    def fingerprint(self) -> str:
        """Changes whenever what it holds does, without reading it."""
        with s3_failures(str(self)):
            info = s3_filesystem().get_file_info(self.key)
        return f"{self} {info.size} {info.mtime_ns}"

    @property
    def size_bytes(self) -> int:
        """How large it is."""
        with s3_failures(str(self)):
            return int(s3_filesystem().get_file_info(self.key).size or 0)


Location = Path | S3Object


def locate(text: str | Path) -> Location:
    """What a word on the command line means."""
    return S3Object(str(text).removeprefix(S3).rstrip("/")) if str(text).startswith(S3) else Path(text)


def size_bytes(location: Location) -> int:
    """How large it is."""
    return location.size_bytes if isinstance(location, S3Object) else location.stat().st_size


def list_objects(location: S3Object) -> list[S3Object]:
    """The object itself, or every object below the prefix; `*` in the last part stands for anything. Raises BadInputError."""
    filesystem = s3_filesystem()
    folder, pattern = location.key, ""
    if "*" in location.name:
        folder, _, pattern = location.key.rpartition("/")
    with s3_failures(str(location)):
        info = filesystem.get_file_info(folder)
        if info.type == fs.FileType.File:
            return [location]
        if info.type == fs.FileType.NotFound:
            raise BadInputError(f"There is nothing at {location}.")
        found = filesystem.get_file_info(fs.FileSelector(folder, recursive=not pattern))
    keys = sorted(item.path for item in found if item.type == fs.FileType.File)
    return [S3Object(key) for key in keys if not pattern or PurePosixPath(key).match(pattern)]


def s3_filesystem() -> fs.S3FileSystem:
    """A client; as with AWS's tools, AWS_ENDPOINT_URL names another server than Amazon's."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    options: dict[str, Any] = {"region": region} if region else {}
    if endpoint:
        scheme, _, host = endpoint.rpartition("://")
        options |= {"endpoint_override": host.rstrip("/"), "scheme": scheme or "https"}
    return fs.S3FileSystem(**options)


@contextmanager
def s3_failures(what: str) -> Iterator[None]:
    """Turn what S3 refuses into a BadInputError."""
    try:
        yield
    except (OSError, pyarrow.ArrowException) as error:
        raise BadInputError(
            f"{what} cannot be read: {str(error).splitlines()[0]}. Are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, "
            "or a profile, set?"
        ) from error
