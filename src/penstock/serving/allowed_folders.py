"""Which folders may be served: those directly under an allowed directory, named by their folder name and nothing else.

Invariant: whatever name a client sends, the folder that is opened, and every file in it, resolves to a place inside an
allowed directory.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from penstock.errors import NotFoundError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,200}")


class AllowedFolders:
    """The allow-list of the model server."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = [directory.resolve() for directory in directories]

    def find(self, model: str) -> Path:
        """The checkpoint folder of this name. Raises NotFoundError."""
        if _NAME.fullmatch(model):
            for directory in self._directories:
                folder = directory / model
                if _is_checkpoint(folder) and _stays_inside(folder, directory):
                    return folder
        raise NotFoundError(f"No model {model[:200]!r} here; GET /v1/models lists those that are.")

    def names(self) -> list[str]:
        """Every model that may be asked for."""
        folders = [folder for directory in self._directories if directory.is_dir() for folder in directory.iterdir()]
        return sorted({folder.name for folder in folders if self._is_served(folder)})

    def _is_served(self, folder: Path) -> bool:
        return bool(_NAME.fullmatch(folder.name)) and _is_checkpoint(folder) and _stays_inside(folder, folder.parent)


def _is_checkpoint(folder: Path) -> bool:
    return not folder.name.endswith(".tmp") and (folder / "config.json").is_file()


def _stays_inside(folder: Path, directory: Path) -> bool:
    """Symbolic links may not lead out, neither the folder's own nor one of its files."""
    if not folder.resolve().is_relative_to(directory):
        return False
    return all(file.resolve().is_relative_to(directory) for file in folder.iterdir())
