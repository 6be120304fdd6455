"""The rows of a JSON file as a stream: the items of an array, of the list in an API's answer, or each object by itself."""

from collections.abc import Iterator
from typing import Any

import ijson

from penstock.errors import BadInputError
from penstock.replay.compressed import OpenFile, open_unpacked, reading
from penstock.replay.location import Location

# Where the answers of APIs keep their items. A trace keeps its spans under other names: that is one row.
_LISTS = frozenset({"data", "traces", "runs", "items", "rows", "feedback"})


def read_json(path: Location) -> Iterator[tuple[Any, float]]:
    """Each row, which may be no object, and how much of the file has been read; raises BadInputError where it breaks off."""
    prefix = _find_list(path)
    with open_unpacked(path) as file:
        for row in _items(file, prefix, path):
            yield row, file.fraction


def _items(file: OpenFile, prefix: str, path: Location) -> Iterator[Any]:
    with reading(path):
        try:
            yield from ijson.items(file.stream, prefix, use_float=True, multiple_values=True)
        except ijson.IncompleteJSONError as error:
            raise BadInputError(
                f"{path} ends in the middle of its JSON, or is damaged: {error}. The rows before are good."
            ) from error
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise BadInputError(f"{path} is no JSON that can be read: {error}.") from error


def _find_list(path: Location) -> str:
    """The place of the rows, as ijson names it."""
    with open_unpacked(path) as file, reading(path):
        depth, key = 0, ""
        try:
            for event, value in ijson.basic_parse(file.stream, multiple_values=True):
                if event == "start_array" and depth == 0:
                    return "item"
                if event == "start_array" and depth == 1 and key in _LISTS:
                    return f"{key}.item"
                if event in ("start_map", "start_array"):
                    depth += 1
                elif event in ("end_map", "end_array"):
                    depth -= 1
                    if depth == 0:
                        return ""
                elif event == "map_key" and depth == 1:
                    key = value
        except (ijson.JSONError, UnicodeDecodeError):
            return ""  # reading the rows tells what is wrong, after those that are good
    return ""
