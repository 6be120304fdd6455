"""Erasing from suites: the items of erased interactions go from their files, and a note beside them says that some went."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from penstock.errors import BadInputError, StorageError
from penstock.evaluation.suite_files import ITEMS
from penstock.lake.durability import replace_durably
from penstock.registry.registry import Registry

ERASED = "erased.jsonl"


class _Line(Struct):
    interaction_id: str | None = None
    user: str | None = None


def erase_from_suites(
    registry: Registry, interactions: Collection[str], users: Collection[str], erasure_id: str, at: datetime
) -> dict[str, int]:
    """Items erased, by suite."""
    found: dict[str, int] = {}
    for suite in registry.suites.list():
        if count := _erase_items(Path(suite.uri), frozenset(interactions), frozenset(users), erasure_id, at):
            found[suite.suite_id] = count
    return found


def _erase_items(folder: Path, interactions: frozenset[str], users: frozenset[str], erasure_id: str, at: datetime) -> int:
    decoder = msgspec.json.Decoder(_Line)
    try:
        lines = (folder / ITEMS).read_bytes().splitlines(keepends=True)
        items = ((line, decoder.decode(line)) for line in lines)
        kept = [line for line, item in items if item.interaction_id not in interactions and item.user not in users]
        gone = len(lines) - len(kept)
        if gone:
            replace_durably(folder / ITEMS, b"".join(kept))
            note = folder / ERASED
            before = note.read_bytes() if note.exists() else b""
            said = msgspec.json.encode({"erasure_id": erasure_id, "items": gone, "at": at.isoformat()})
            replace_durably(note, before + said + b"\n")
    except OSError as error:
        raise StorageError(
            f"Items of the suite {folder} cannot be erased: {error.strerror}. Mend that and erase again."
        ) from error
    except msgspec.DecodeError as error:
        raise BadInputError(f"The suite {folder} holds a line that is no item: {error}. Mend it and erase again.") from error
    return gone
