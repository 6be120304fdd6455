"""The attributes of many spans, name by name: the values of one name are a slice of what Arrow holds of all."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.formats.otlp_columns import Indexes, TraceColumns

Mask = npt.NDArray[np.bool_]


class AttributePairs:
    """All attributes of a request in the order of their names, so that the values of one name are a slice."""

    def __init__(self, columns: TraceColumns) -> None:
        encoded = columns.keys.dictionary_encode()
        codes = encoded.indices.to_numpy()
        self.order: Indexes = np.argsort(codes, kind="stable")
        codes = codes[self.order]
        bounds = np.searchsorted(codes, np.arange(len(encoded.dictionary) + 1))
        self.names = {name: slice(*bounds[at : at + 2].tolist()) for at, name in enumerate(encoded.dictionary.to_pylist())}
        parents = np.repeat(np.arange(len(columns)), np.diff(columns.attribute_starts))
        self.rows: Indexes = parents[self.order]
        self.again = self.rows[1:][(self.rows[1:] == self.rows[:-1]) & (codes[1:] == codes[:-1])]  # rows that say one twice
        kinds = columns.values
        order = pa.array(self.order)
        self._kinds = {name: values.take(order) for name, values in kinds.items() if values.null_count < len(values)}
        self._valid = {name: valid_mask(values) for name, values in self._kinds.items()}
        given = sum(mask.astype(np.int8) for mask in self._valid.values())
        self.ambiguous = self.rows[given > 1] if len(self._valid) > 1 else self.rows[:0]  # rows with a value of two kinds
        self._nulls = {name: pa.nulls(len(self.order), values.type) for name, values in kinds.items()}
        self._nothing = np.zeros(len(self.order), np.bool_)
        strings = self._kinds.get("string_value")
        self.lengths = byte_lengths(strings) if strings is not None else np.zeros(len(self.order), np.int64)

    def values(self, kind: str, part: slice) -> Any:
        """The values of one kind in a slice, an Arrow array."""
        return self._kinds.get(kind, self._nulls[kind])[part]

    def valid(self, kind: str, part: slice) -> Mask:
        """Where they are of this kind."""
        return self._valid.get(kind, self._nothing)[part]


def map_unique(values: Any, change: Callable[[Any], str | None]) -> Any:
    """A column of few different values, each changed once."""
    encoded = values.dictionary_encode()
    return pa.array([change(value) for value in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)


def byte_lengths(values: Any) -> Indexes:
    """Bytes of each text or binary value; 0 of none."""
    offsets = np.frombuffer(values.buffers()[1] or b"", np.int32)[values.offset : values.offset + len(values) + 1]
    return np.diff(offsets).astype(np.int64) if len(values) else np.zeros(0, np.int64)


def valid_mask(values: Any) -> Mask:
    """Which values are not null."""
    if not values.null_count:
        return np.ones(len(values), np.bool_)
    mask: Mask = values.is_valid().to_numpy(zero_copy_only=False)
    return mask
