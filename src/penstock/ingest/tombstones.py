"""Tombstones: what keeps an erased user's late spans and reports out of the lake without saying who it was.

One file per erasure beside the tables, so that every flusher can read it whatever else is down. Users, sessions and targets are
digests of what is stored of them; traces are random ids that nothing refers to any more, and stand as they are.
"""

import time
from collections.abc import Iterable

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from penstock.errors import StorageError
from penstock.lake.place import Place
from penstock.records.feedback import TargetKind
from penstock.records.ids import digest

FOLDER = "_erased"
_WAIT_S = 0.3


class Tombstones(Struct, frozen=True, kw_only=True):
    """What was erased, by one erasure or by all of them."""

    users: frozenset[str] = frozenset()
    sessions: frozenset[str] = frozenset()
    traces: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()  # names by which reports spoke of what was erased, and of nothing else

    def __bool__(self) -> bool:
        return bool(self.users)


def user_tombstone(user_id: str) -> str:
    """Stands for a user, as `user_id` names them."""
    return digest("erased user", user_id)


def session_tombstone(session_id: str) -> str:
    """Stands for a session."""
    return digest("erased session", session_id)


def target_tombstone(kind: str, key: str | None, identifier: str) -> str:
    """Stands for what a report names; the hexadecimal ids of a span may come in capitals."""
    return digest("erased target", kind, key or "", identifier.lower() if kind == TargetKind.SPAN else identifier)


class ErasureList:
    """All tombstones of a lake, read again when an erasure has been added."""

    def __init__(self, lake_root: Place) -> None:
        self._folder = lake_root / FOLDER
        self._names: tuple[str, ...] = ()
        self._tombstones = Tombstones()

    @property
    def newest(self) -> str | None:
        """The id of the erasure that was added last, as of the last read()."""
        return self._names[-1] if self._names else None

    def read(self) -> Tombstones:
        """What must not be written any more."""
        try:
            found = sorted(self._folder.glob("*.json"), key=lambda path: (path.modified_s(), path.name))
            names = tuple(path.name.removesuffix(".json") for path in found)
            if names != self._names:
                every = [msgspec.json.decode(path.read_bytes(), type=Tombstones) for path in found]
                self._tombstones = _joined(every)
                self._names = names
        except (OSError, msgspec.DecodeError) as error:
            raise StorageError(
                f"The tombstones in {self._folder} cannot be read: {error}. Nothing is written before they can."
            ) from error
        return self._tombstones


def add_tombstones(lake_root: Place, erasure_id: str, tombstones: Tombstones) -> None:
    """Put an erasure on the list, durably; from then on nothing of it is written."""
    folder = lake_root / FOLDER
    try:
        folder.make_folder()
        added, content = folder / f"{erasure_id}.json", msgspec.json.encode(tombstones, order="sorted")
        added.replace_durably(content)
        while _is_older(added, folder):  # S3 knows whole seconds alone, and the newest must be told from the others
            time.sleep(_WAIT_S)
            added.replace_durably(content)
    except OSError as error:
        raise StorageError(f"The tombstones in {folder} cannot be written: {error.strerror}. Nothing was erased.") from error


def _is_older(added: Place, folder: Place) -> bool:
    moment = added.modified_s()
    return any(other.modified_s() >= moment for other in folder.glob("*.json") if other.name != added.name)


def drop_erased(table: str, rows: pa.Table, tombstones: Tombstones) -> pa.Table:
    """The rows of a spooled body without those of erased users."""
    if not tombstones or rows.num_rows == 0:
        return rows
    if table == "spans":
        gone = pc.is_in(rows.column("trace_id"), pa.array(sorted(tombstones.traces), pa.string()))
        for name, stand_in, erased in (
            ("user_id", user_tombstone, tombstones.users),
            ("session_id", session_tombstone, tombstones.sessions),
        ):
            values = [
                value for value in pc.unique(rows.column(name)).to_pylist() if value is not None and stand_in(value) in erased
            ]
            gone = pc.or_(gone, pc.is_in(rows.column(name), pa.array(values, pa.string())))
        return rows.filter(pc.invert(gone))
    if table == "feedback":
        columns = (rows.column(name).to_pylist() for name in ("target_kind", "target_key", "target_id"))
        kept = [target_tombstone(*target) not in tombstones.targets for target in zip(*columns, strict=True)]
        return rows.filter(pa.array(kept, pa.bool_()))
    return rows


def _joined(every: Iterable[Tombstones]) -> Tombstones:
    parts = list(every)
    return Tombstones(
        **{name: frozenset().union(*(getattr(part, name) for part in parts)) for name in Tombstones.__struct_fields__}
    )
