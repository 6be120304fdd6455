"""One file of bodies, to which bodies are only appended; each stands behind a header that has a checksum of both.

The checksums are seeded with a number of the spool's own, so that neither what a disk held before nor what a client has sent
can pass for a record.
"""

import os
import struct
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import xxhash
from msgspec import Struct

_MAGIC = b"PnSb"
# magic, checksum of the rest with the name, id, floor, rows, length of the table's name, length of the body, its checksum
_HEADER = struct.Struct("<4sQQQIIQQ")
_CHECKED = struct.Struct("<QQIIQQ")  # the part of it that has the checksum
_MOST_NAME_BYTES = 256
_MOST_PIECES = 1024  # of one write: IOV_MAX
_WINDOW_BYTES = 1024 * 1024


class Record(Struct, frozen=True):
    """Where a body lies in its file; bodies with an id below `floor` had been given up when it was written."""

    id: int
    floor: int
    table: str
    rows: int
    offset: int
    length: int
    checksum: int


class Damage(Struct, frozen=True):
    """Bytes of a file that are no record."""

    path: Path
    offset: int
    length: int


class Segment:
    """One file, written by one thread at a time. It is closed once nobody knows it any more, so it may be read until then."""

    def __init__(self, path: Path, seed: int, first_id: int) -> None:
        """Open the file, or make it; OSError where that fails."""
        self.path = path
        self.first_id = first_id  # no record in it has a smaller one
        self.end = 0  # behind the last record
        self.waiting: dict[int, Record] = {}  # by id, oldest first
        self._seed = seed
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        weakref.finalize(self, os.close, self._file)

    def append(self, bodies: Sequence[tuple[int, str, int, bytes | pa.Buffer]], floor: int) -> list[Record]:
        """Write bodies, each with its id, table and number of rows; where OSError is raised none of them stays.

        They are on the disk when `synchronise` has returned.
        """
        pieces: list[bytes | pa.Buffer] = []
        records = []
        end = self.end
        for body_id, table, rows, batch in bodies:
            checksum = xxhash.xxh3_64_intdigest(batch, self._seed)
            header = self._header(body_id, floor, table, rows, len(batch), checksum)
            records.append(Record(body_id, floor, table, rows, end + len(header), len(batch), checksum))
            pieces += [header, batch]
            end += len(header) + len(batch)
        try:
            _write(self._file, pieces, self.end)
        except OSError:
            self.cut(self.end)
            raise
        self.end = end
        return records

    def synchronise(self) -> None:
        """Bring what was written to the disk; OSError where nobody knows how much of it is there."""
        os.fdatasync(self._file)

    def cut(self, end: int) -> None:
        """Leave nothing behind this place."""
        self.end = end
        with suppress(OSError):  # it would be found as what was never answered for
            os.ftruncate(self._file, end)

    def read(self, record: Record) -> tuple[bytes, bool]:
        """A body, and whether it is what was written."""
        batch = os.pread(self._file, record.length, record.offset)
        return batch, xxhash.xxh3_64_intdigest(batch, self._seed) == record.checksum

    def scan(self, *, is_newest: bool) -> tuple[list[Record], list[Damage]]:
        """All records, in order, and what lies between them; the end of the newest file may be torn, and is cut off."""
        size = os.fstat(self._file).st_size
        records, damages = [], []
        at = 0
        while (found := next(self._records_from(at, size), None)) is not None:
            start, record = found
            if start > at:
                damages.append(Damage(self.path, at, start - at))
            records.append(record)
            at = record.offset + record.length
        while is_newest and records and not self.read(records[-1])[1]:
            torn = records.pop()
            at = torn.offset - _HEADER.size - len(torn.table.encode())
        self.end = at
        self.first_id = min((record.id for record in records), default=self.first_id)
        if at < size and is_newest:
            os.ftruncate(self._file, at)
            os.fsync(self._file)
        elif at < size:
            damages.append(Damage(self.path, at, size - at))
        return records, damages

    def content(self, damage: Damage) -> bytes:
        """The bytes that are no record."""
        return os.pread(self._file, damage.length, damage.offset)

    def _header(self, body_id: int, floor: int, table: str, rows: int, length: int, checksum: int) -> bytes:
        name = table.encode()
        checked = _CHECKED.pack(body_id, floor, rows, len(name), length, checksum) + name
        return _MAGIC + xxhash.xxh3_64_intdigest(checked, self._seed).to_bytes(8, "little") + checked

    def _records_from(self, at: int, size: int) -> Iterator[tuple[int, Record]]:
        """Each place, from here on, at which a record begins that fits the file."""
        if (record := self._record_at(at, size)) is not None:
            yield at, record
        while at < size:
            window = os.pread(self._file, _WINDOW_BYTES + len(_MAGIC) - 1, at)
            found = window.find(_MAGIC)
            while found >= 0:
                if (record := self._record_at(at + found, size)) is not None:
                    yield at + found, record
                found = window.find(_MAGIC, found + 1)
            at += _WINDOW_BYTES

    def _record_at(self, at: int, size: int) -> Record | None:
        header = os.pread(self._file, _HEADER.size + _MOST_NAME_BYTES, at)
        if len(header) < _HEADER.size or not header.startswith(_MAGIC):
            return None
        _, checksum, body_id, floor, rows, name_length, length, body_checksum = _HEADER.unpack_from(header)
        checked = header[_HEADER.size - _CHECKED.size : _HEADER.size + name_length]
        if xxhash.xxh3_64_intdigest(checked, self._seed) != checksum:
            return None
        offset = at + _HEADER.size + name_length
        if offset + length > size:
            return None
        return Record(body_id, floor, checked[_CHECKED.size :].decode(), rows, offset, length, body_checksum)


def _write(file: int, pieces: Sequence[bytes | pa.Buffer], at: int) -> None:
    """All pieces, one behind the other, however few of them one call takes."""
    left = [memoryview(piece) for piece in pieces]
    while left:
        written = os.pwritev(file, left[:_MOST_PIECES], at)
        at += written
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if left and written:
            left[0] = left[0][written:]
