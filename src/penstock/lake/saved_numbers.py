"""What an index of files has read, kept in a file for the next process; whatever is amiss with it, the tables are read again.

It holds names of files and parts of hashes. An erasure deletes it, although no id can be read from it.
"""

import logging
import zlib
from collections.abc import Mapping
from typing import Any

import duckdb
import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.lake.place import Place

Numbers = npt.NDArray[np.uint64]

_FILES, _HASHED_BY, _CHECKSUM = b"files", b"hashed_by", b"checksum"
_HASH = f"duckdb {duckdb.__version__}".encode()  # another version may hash otherwise
_FOLDER = "_index"

logger = logging.getLogger(__name__)


def place_of(root: Place, table: str, column: str) -> Place:
    """Where a lake keeps what is known of one column."""
    return root / _FOLDER / table / f"{column}.arrow"


def forget_all(root: Place) -> None:
    """Delete what is kept of every table."""
    (root / _FOLDER).remove_all()


def load(place: Place) -> tuple[dict[str, int], Numbers]:
    """The number of each file, and the ascending numbers of rows, as they were saved; empty where nothing can be used."""
    try:
        table = pa.ipc.open_file(pa.py_buffer(place.read_bytes())).read_all()
        told, numbers = table.schema.metadata, table.column(0).to_numpy()
        if told[_CHECKSUM] != _checksum(numbers):
            raise OSError("its checksum is another")
        if told[_HASHED_BY] == _HASH:
            return msgspec.json.decode(told[_FILES], type=dict[str, int]), numbers
    except FileNotFoundError:
        pass
    except (OSError, pa.ArrowException, LookupError, TypeError, msgspec.MsgspecError) as error:
        logger.warning("The index %s is read anew from its table: %s", place, error)
    return {}, np.empty(0, np.uint64)


def save(place: Place, files: Mapping[str, int], numbers: Numbers) -> None:
    """Keep them; where that fails, the next process reads the table."""
    told = {_FILES: msgspec.json.encode(files), _HASHED_BY: _HASH, _CHECKSUM: _checksum(numbers)}
    rows = pa.table({"number": pa.array(numbers)}).replace_schema_metadata(told)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)
    try:
        place.parent.make_folder()
        place.replace_durably(sink.getvalue().to_pybytes())
    except OSError as error:
        logger.warning("The index %s was not kept: %s", place, error)


def _checksum(numbers: Any) -> bytes:
    return str(zlib.crc32(numbers)).encode()
