"""The bodies of a spool: files that are only appended to, and what of them waits, which is known in memory.

A body is written once, in one write and one fdatasync with those that came at the same time. Nothing is written when it has gone
to the lake: a file goes as soon as nothing in it waits. Which bodies wait is asked of the spool when the files are opened.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import xxhash

from penstock.ingest.segment import Damage, Record, Segment
from penstock.lake.durability import synchronise

SUFFIX = ".segment"
_WRITING = ".writing"
_SEGMENT_BYTES = 64 * 1024 * 1024  # a file is not appended to beyond this


class BodyLog:
    """The files beside one spool, owned by its process. One thread appends, another reads and forgets."""

    def __init__(self, spool: Path, first_id: int, is_done: Callable[[str, int], bool]) -> None:
        """Open the files that are there; OSError where that fails.

        `first_id` is larger than any id before. `is_done` says which body of a table no longer waits.
        """
        self.rows = 0  # of bodies that wait
        self.size_bytes = 0  # of the same
        self.damages: list[Damage] = []
        self._spool = spool
        self._seed = xxhash.xxh3_64_intdigest(spool.stem.encode())
        self._next_id = first_id
        self._floor = 0
        self._number = 0  # of the newest file
        self._segments: list[Segment] = []  # oldest first
        self._may_append = False  # to the newest of them
        self._lock = threading.RLock()  # on what waits
        self._append_lock = threading.Lock()  # taken before it
        self._open(is_done)

    def newest_id(self) -> int:
        """No body that was appended so far has a larger one."""
        return self._next_id - 1

    def oldest_id(self) -> int:
        """No body that lies in a file, waiting or not, has a smaller one."""
        with self._lock:
            return min((segment.first_id for segment in self._segments), default=self._next_id)

    def append(self, bodies: Sequence[tuple[str, int, bytes | pa.Buffer]], floor: int = 0) -> int:
        """Bring bodies, each with its table and number of rows, to the disk; OSError where none of them is kept.

        With them those with an id below `floor` are given up; returned is how many rows these had.
        """
        with self._append_lock:
            segment = self._newest()
            start, first_id = segment.end, self._next_id
            self._next_id += len(bodies)  # an id that may be on the disk is never given again
            floor = max(floor, self._floor)
            try:
                records = segment.append([(first_id + place, *body) for place, body in enumerate(bodies)], floor)
                segment.synchronise()
            except OSError:
                segment.cut(start)
                self._may_append = start == 0
                raise
            self._add(segment, records)
        if floor == self._floor:
            return 0
        self._floor = floor
        rows = self._forget(self._find(lambda record: record.id < floor, floor - 1))
        self.drop_spent()
        return rows

    def next_batch(self, max_rows: int, max_bytes: int, until: int | None) -> list[Record]:
        """The oldest body, and others of its table as far as they fit; none where only bodies that came after `until` wait."""
        batch: list[Record] = []
        rows = size = 0
        with self._lock:
            for record in (record for segment in self._segments for record in segment.waiting.values()):
                if not batch and until is not None and record.id > until:
                    break
                if batch and record.table != batch[0].table:
                    continue
                if batch and (rows + record.rows > max_rows or size + record.length > max_bytes):
                    break
                batch.append(record)
                rows, size = rows + record.rows, size + record.length
        return batch

    def floor_for(self, free_bytes: int) -> int:
        """The id below which bodies have to go so that this much room is made, as far as there is any."""
        floor = 0
        with self._lock:
            for record in (record for segment in self._segments for record in segment.waiting.values()):
                if free_bytes <= 0:
                    break
                free_bytes -= record.length
                floor = record.id + 1
        return floor

    def read(self, table: str, first_id: int, last_id: int) -> list[tuple[Record, bytes, bool]]:
        """What waits for a table between two ids, each with its bytes and whether they are what was written."""
        found = self._find(lambda record: record.table == table and record.id >= first_id, last_id)
        return [(record, *segment.read(record)) for segment, record in found]

    def forget(self, table: str, first_id: int, last_id: int) -> None:
        """What waits for a table between two ids waits no longer."""
        self._forget(self._find(lambda record: record.table == table and record.id >= first_id, last_id))

    def drop_spent(self, *, with_newest: bool = False) -> None:
        """Delete the files in which nothing waits; the one that is appended to only if asked for."""
        with self._append_lock, self._lock:
            kept = self._segments[-1:] if self._may_append and not with_newest else []
            spent = [segment for segment in self._segments if not segment.waiting and segment not in kept]
            for segment in spent:
                segment.path.unlink(missing_ok=True)
                self._segments.remove(segment)
            self._may_append = bool(kept)
        if spent:
            synchronise(self._spool.parent)

    def rewrite(self, keep: Callable[[str, bytes], bytes | None]) -> None:
        """Leave nothing in the files but what waits, as `keep` gives it; what is appended meanwhile is not looked at."""
        with self._append_lock:
            self._may_append = False
            segments = list(self._segments)
        for segment in segments:
            if segment.waiting:
                self._rewrite(segment, keep)
        self.drop_spent()

    def content(self, damage: Damage) -> bytes:
        """The bytes of a damage."""
        return next(segment for segment in self._segments if segment.path == damage.path).content(damage)

    def _open(self, is_done: Callable[[str, int], bool]) -> None:
        for left_over in self._spool.parent.glob(f"{self._spool.stem}-*{_WRITING}"):
            left_over.unlink()
        paths = sorted(self._spool.parent.glob(f"{self._spool.stem}-*{SUFFIX}"))
        for path in paths:
            segment = Segment(path, self._seed, self._next_id)
            records, damages = segment.scan(is_newest=path == paths[-1])
            self._number = int(path.stem.rsplit("-", 1)[1])
            self._floor = max([self._floor, *(record.floor for record in records)])
            self._segments.append(segment)
            self._add(segment, [record for record in records if not is_done(record.table, record.id)])
            self.damages += damages
        self._forget(self._find(lambda record: record.id < self._floor, self._floor - 1))

    def _newest(self) -> Segment:
        """The file to append to, a new one where the newest is long enough."""
        if self._may_append and self._segments[-1].end < _SEGMENT_BYTES:
            return self._segments[-1]
        path = self._spool.with_name(f"{self._spool.stem}-{self._number + 1:08d}{SUFFIX}")
        segment = Segment(path, self._seed, self._next_id)
        synchronise(path.parent)  # before anything in it is said to be kept
        self._number += 1
        with self._lock:
            self._segments.append(segment)
        self._may_append = True
        return segment

    def _add(self, segment: Segment, records: Iterable[Record]) -> None:
        with self._lock:
            for record in records:
                segment.waiting[record.id] = record
                self.rows += record.rows
                self.size_bytes += record.length

    def _find(self, is_wanted: Callable[[Record], bool], last_id: int) -> list[tuple[Segment, Record]]:
        found: list[tuple[Segment, Record]] = []
        with self._lock:
            for segment in self._segments:
                for record in segment.waiting.values():
                    if record.id > last_id:
                        return found
                    if is_wanted(record):
                        found.append((segment, record))
        return found

    def _forget(self, found: Iterable[tuple[Segment, Record]]) -> int:
        """How many rows went with them."""
        rows = 0
        with self._lock:
            for segment, record in found:
                if segment.waiting.pop(record.id, None) is not None:  # the appending thread may have given it up meanwhile
                    rows += record.rows
                    self.size_bytes -= record.length
            self.rows -= rows
        return rows

    def _rewrite(self, segment: Segment, keep: Callable[[str, bytes], bytes | None]) -> None:
        temporary = segment.path.with_name(segment.path.name + _WRITING)
        new = Segment(temporary, self._seed, segment.first_id)
        records: list[Record] = []
        with self._lock:
            old = list(segment.waiting.values())
        for record in old:
            batch, is_intact = segment.read(record)
            kept = keep(record.table, batch) if is_intact else None
            if kept is not None:
                records += new.append([(record.id, record.table, record.rows, kept)], self._floor)
        new.synchronise()
        with self._append_lock, self._lock:
            temporary.replace(segment.path)
            new.path = segment.path
            waiting = set(segment.waiting)
            self._forget([(segment, record) for record in old])
            self._segments[self._segments.index(segment)] = new
            self._add(new, [record for record in records if record.id in waiting])
        synchronise(new.path.parent)
