"""Files of chats of RealHumanEval: the one whose rows were labelled, known by what is in it, and any other.

Labels lie beside the code by row; of another file, or of another content under the same name, they say nothing.
"""

import ast
import csv
import io
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from benchmarks.signal_accuracy.files import content_of, files_of, name_of

LABELLED_SHA256 = "deda75d51434a6979bd69516eed4f9fa6cfe835b93bd066bf599351b8b7eef7e"
LABELLED = "chat_data"
_NEEDED = {"request", "programmer_id", "timestamp", "task_name"}

Row = Mapping[str, str]


def labelled_rows(data: Path) -> list[Row]:
    """The rows that labels speak of; none where that file is not there."""
    contents = map(content_of, files_of(data / "realhumaneval", ".csv"))
    return next((_rows(content) for content in contents if _is_labelled(content)), [])


def missing_of(data: Path) -> tuple[str, ...]:
    """The file whose rows were labelled, where it is not there."""
    return () if labelled_rows(data) else (f"realhumaneval/{LABELLED}",)


def other_chats(data: Path) -> dict[str, list[Row]]:
    """The rows of every other file that has requests, by its name."""
    found = {}
    for path in files_of(data / "realhumaneval", ".csv"):
        content = content_of(path)
        if not _is_labelled(content) and (rows := _rows(content)) and rows[0].keys() >= _NEEDED:
            found[name_of(path)] = rows
    return found


def last_request(row: Row) -> str:
    """The user's last message, of a Python literal with all of them; empty where there is none."""
    asked = [message["content"] for message in ast.literal_eval(row["request"]) if message["role"] == "user"]
    return str(asked[-1]) if asked else ""


def _is_labelled(content: bytes) -> bool:
    return sha256(content).hexdigest() == LABELLED_SHA256


def _rows(content: bytes) -> list[Row]:
    csv.field_size_limit(1 << 30)
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
