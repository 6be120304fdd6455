"""Files as streams of bytes, unpacked while they are read; what cannot be read is a BadInputError that names the file."""

import gzip
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import cast

from msgspec import Struct

from penstock.errors import BadInputError
from penstock.replay.location import Location, size_bytes

_PACKED = (".gz", ".xz")


class OpenFile(Struct, frozen=True):
    """The unpacked bytes of a file, and how far into the file as it lies on the disk they have been read."""

    stream: BufferedReader  # or what reads alike
    raw: BufferedReader
    size_bytes: int

    @property
    def fraction(self) -> float:
        """Share of the file that has been read."""
        return self.raw.tell() / self.size_bytes if self.size_bytes else 1.0


def plain_name(path: Location) -> str:
    """The name without `.gz` or `.xz`, so that packing a file does not change what it is."""
    return path.name[: -len(path.suffix)] if path.suffix.lower() in _PACKED else path.name


@contextmanager
def open_unpacked(path: Location) -> Iterator[OpenFile]:
    """Open a file for reading, through gzip or xz where its name says so."""
    with reading(path), path.open("rb") as raw:
        match path.suffix.lower():
            case ".gz":
                stream = cast(BufferedReader, gzip.GzipFile(fileobj=raw))
            case ".xz":
                stream = cast(BufferedReader, lzma.LZMAFile(raw))  # noqa: SIM115  closes nothing but `raw`
            case _:
                stream = raw
        yield OpenFile(stream, raw, size_bytes(path))


@contextmanager
def reading(path: Location) -> Iterator[None]:
    """Turn what goes wrong while a file is read or unpacked into a BadInputError."""
    try:
        yield
    except EOFError as error:
        raise BadInputError(
            f"{path} ends before its archive does: it was cut short. Copy it again; what came before is good."
        ) from error
    except (gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise BadInputError(f"{path} is damaged, or not packed as its name says: {error}.") from error
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror or error}.") from error
