"""A log entry torn by a power cut is put aside, and one that says nothing takes its number, so that the table opens.

deltalake makes an entry visible only when it is complete, so a torn one was torn while nothing ran, and this may be done
at any time. Its number stays taken: a reader that had passed it must not find other rows under it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from penstock.lake.place import Place
from penstock.lake.storage_failure import storage_failures
from penstock.lake.transaction_log import entry_path, is_parquet_whole, list_versions, log_folder, parse_entry

_CHECKED = 20  # the last entries; a power cut tears no others, since every reader and writer fsyncs what it leaves behind


def repair_log(root: Place, table: str) -> list[Place]:
    """Put aside torn entries and checkpoints of this table; gives where they now lie."""
    path = root / table
    if not path.can_tear:
        return []
    with storage_failures(f"repair the log of {table}", path), repairing(root):
        aside = [_replace_entry(root, table, version) for version in list_versions(path)[-_CHECKED:] if _is_torn(path, version)]
        return aside + _set_checkpoints_aside(root, table)


@contextmanager
def repairing(root: Place) -> Iterator[None]:
    """One process repairs at a time."""
    with root.exclusively("_repair.lock"):
        yield


def _is_torn(path: Place, version: int) -> bool:
    return parse_entry(version, entry_path(path, version).read_bytes()) is None


def _replace_entry(root: Place, table: str, version: int) -> Place:
    path = entry_path(root / table, version)
    aside = quarantine_path(root, table, path.name)
    aside.replace_durably(path.read_bytes())
    nothing = {"commitInfo": {"timestamp": int(path.modified_s() * 1000), "operation": "QUARANTINE", "operationParameters": {}}}
    path.replace_durably(msgspec.json.encode(nothing))
    return aside


def _set_checkpoints_aside(root: Place, table: str) -> list[Place]:
    """A checkpoint only repeats what the log says, so a torn one is no loss; the log is cleaned up behind durable ones."""
    folder = log_folder(root / table)
    torn = [path for path in folder.glob("*.checkpoint.parquet") if not is_parquet_whole(path)]
    pointer = folder / "_last_checkpoint"
    if pointer.is_file() and (torn or not _is_json(pointer.read_bytes())):
        torn.append(pointer)
    return [set_aside(root, table, path) for path in torn]


def _is_json(content: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(content), dict)
    except msgspec.DecodeError:
        return False


def set_aside(root: Place, table: str, path: Place) -> Place:
    """Move a file into the quarantine."""
    aside = quarantine_path(root, table, path.name)
    path.move_to(aside)
    aside.parent.synchronise()
    path.parent.synchronise()
    return aside


def quarantine_path(root: Place, table: str, name: str) -> Place:
    """A free name in the quarantine, whose files nothing reads."""
    folder = root / "_quarantine" / table
    folder.make_folder()
    taken = {path.name for path in folder.glob("*")}
    return next(folder / candidate for number in range(len(taken) + 1) if (candidate := f"{number:04d}-{name}") not in taken)
