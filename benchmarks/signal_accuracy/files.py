"""The files of a data set's folder: whichever are there, packed or not; and which of those that the page knows are not.

Other parts of a set are measured by laying them into its folder. A file is called by its name without packing and ending.
"""

import gzip
import lzma
from collections.abc import Collection, Iterable
from pathlib import Path

_PACKED = {".xz": lzma.decompress, ".gz": gzip.decompress}


def files_of(folder: Path, ending: str) -> list[Path]:
    """The files with this ending, packed or not, by name; none where there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and _unpacked(path).endswith(ending))


def content_of(path: Path) -> bytes:
    """What is in a file, unpacked."""
    return _PACKED.get(path.suffix, bytes)(path.read_bytes())


def name_of(path: Path) -> str:
    """What a table calls a file: `valid_freq` for `valid_freq.json.xz`."""
    return _unpacked(path).rpartition(".")[0]


def missing(folder: Path, wanted: Iterable[str], found: Collection[Path]) -> tuple[str, ...]:
    """Which of these names no file that was found has, behind the folder's."""
    return tuple(f"{folder.name}/{name}" for name in wanted if name not in map(name_of, found))


def _unpacked(path: Path) -> str:
    return path.name.removesuffix(path.suffix) if path.suffix in _PACKED else path.name
