"""A power cut: every file and folder goes back to what its last fsync had made durable, and all else is gone.

The processes run under the recorder; afterwards the folder is rebuilt from what it wrote down. What was written and never
fsynced may have reached the disk all the same, in part: `partly` rebuilds such a mixture.
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

_PAGE_BYTES = 4096
_SYNCHRONISE_ALL = """
import os, sys
for folder, _, names in os.walk(sys.argv[1], topdown=True):
    for path in [folder, *(os.path.join(folder, name) for name in names)]:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
"""


class Durable(Struct, frozen=True):
    """What was durable at one moment: the bytes of files and the names in folders, by inode."""

    root: str
    files: dict[str, Path]
    folders: dict[str, dict[str, tuple[str, str]]]  # name -> file or folder, and its inode


class Recorder:
    """Writes down what becomes durable under one folder."""

    def __init__(self, library: Path, disk: Path, record: Path, *, keep_all: bool = False) -> None:
        self.disk = disk
        self.record = record
        keep = "all" if keep_all else ""
        self.environment = {"LD_PRELOAD": str(library), "RECORD_FROM": str(disk), "RECORD_TO": str(record), "RECORD_KEEP": keep}
        self._library = library
        record.mkdir()
        self._root = self._synchronise_all(record)
        if not keep_all:
            for path in [path for path in record.iterdir() if path.name[0].isdigit()]:
                path.rename(record / f"{0:08d}.{path.name.partition('.')[2]}")  # the name under which the next step follows

    def _synchronise_all(self, record: Path) -> str:
        """Take everything that is there as durable; gives the root's inode, the first that is fsynced."""
        environment = {**os.environ, **self.environment, "RECORD_TO": str(record), "RECORD_KEEP": "all"}
        subprocess.run([sys.executable, "-c", _SYNCHRONISE_ALL, str(self.disk)], env=environment, check=True, timeout=120)
        first = next(path for path in record.iterdir() if path.name.startswith("00000001."))
        return first.name.split(".", 2)[2]

    def steps(self) -> int:
        """How many times something has become durable."""
        return int((self.record / "lock").read_text())

    def durable(self, steps: int | None = None) -> Durable:
        """What is durable, or was after so many steps."""
        return _read_record(self.record, self._root, steps)

    def visible(self) -> Durable:
        """What the processes saw last, durable or not; only once they are gone."""
        record = self.record.with_name(f"{self.record.name}-visible")
        record.mkdir()
        return _read_record(record, self._synchronise_all(record), None)


def _read_record(record: Path, root: str, steps: int | None) -> Durable:
    files: dict[str, Path] = {}
    folders: dict[str, dict[str, tuple[str, str]]] = {}
    for path in sorted(record.iterdir()):
        step, _, rest = path.name.partition(".")
        if not step.isdigit() or (steps is not None and int(step) > steps):
            continue
        kind, _, inode = rest.partition(".")
        if kind == "file":
            files[inode] = path
        else:
            entries = (line.split(" ", 2) for line in path.read_text().splitlines())
            folders[inode] = {name: (kind_of_entry, entry) for kind_of_entry, entry, name in entries}
    return Durable(root, files, folders)


def rebuild(durable: Durable, disk: Path) -> None:
    """Make a folder of what was durable; a file whose bytes never were is there and empty."""
    _rebuild(durable.root, disk, durable.folders.__getitem__, lambda inode: _content(durable, inode) or b"")


def rebuild_partly(durable: Durable, visible: Durable, disk: Path, chance: random.Random) -> None:
    """Make a folder where some of what was never fsynced has reached the disk: some folders' names, some files' pages."""

    def names(inode: str) -> dict[str, tuple[str, str]]:
        found = [state.folders[inode] for state in (durable, visible) if inode in state.folders]
        return chance.choice(found)

    def content(inode: str) -> bytes:
        before, after = _content(durable, inode), _content(visible, inode)
        if before is None or after is None:
            only = before if before is not None else after or b""
            return only if before is not None else only[: int(len(only) * chance.choice([0.0, chance.random(), 1.0]))]
        length = chance.choice([len(before), len(after)])
        pages = range(0, length, _PAGE_BYTES)
        parts = (_page(chance.choice([before, after]), at, min(_PAGE_BYTES, length - at)) for at in pages)
        return b"".join(parts)

    _rebuild(durable.root, disk, names, content)


def _page(content: bytes, at: int, size: int) -> bytes:
    return content[at : at + size].ljust(size, b"\0")


def _content(state: Durable, inode: str) -> bytes | None:
    path = state.files.get(inode)
    return path.read_bytes() if path is not None else None


def _rebuild(
    inode: str, folder: Path, names: Callable[[str], dict[str, tuple[str, str]]], content: Callable[[str], bytes]
) -> None:
    folder.mkdir()
    try:
        entries = names(inode)
    except (KeyError, IndexError):
        return  # a folder whose names never became durable is there and empty
    for name, (kind, entry) in entries.items():
        if kind == "folder":
            _rebuild(entry, folder / name, names, content)
        else:
            (folder / name).write_bytes(content(entry))
