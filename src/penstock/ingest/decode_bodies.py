"""The bodies of several requests decoded together: plain spans as rows, the others as records, and what each sender is told."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
from msgspec import Struct

from penstock.formats.otlp import Encoding, parse_traces
from penstock.formats.otlp_columns import read_trace_columns
from penstock.ingest.decode import Decoded, decode_traces
from penstock.ingest.plain_spans import read_plain_spans

FEWEST = 8  # of fewer spans each is read faster by itself
MOST_BYTES = 16 * 1024 * 1024  # of more the spans are read one by one: columns beside them take several times that


class DecodedBodies(Struct, frozen=True):
    """The rows of all requests, and of each request what no row holds."""

    rows: pa.RecordBatch | None
    requests: list[Decoded]


def decode_bodies(bodies: Sequence[bytes], known_at: datetime) -> DecodedBodies:
    """Decode encoded ExportTraceServiceRequests; BadInputError where one is none, which is no answer to the others beside it."""
    columns = read_trace_columns(bodies) if sum(map(len, bodies)) <= MOST_BYTES else None
    if columns is None or len(columns) < FEWEST:
        return DecodedBodies(None, [decode_traces(parse_traces(body, Encoding.PROTOBUF), known_at) for body in bodies])
    read = read_plain_spans(columns, known_at)
    odd = np.flatnonzero(read.odd)
    requests: list[Decoded] = []
    starts = columns.body_starts
    first, last = np.searchsorted(odd, starts[:-1]), np.searchsorted(odd, starts[1:])
    for number, body in enumerate(bodies):
        of_body = (odd[first[number] : last[number]] - starts[number]).tolist()
        decoded = decode_traces(parse_traces(body, Encoding.PROTOBUF), known_at, of_body) if of_body else Decoded()
        decoded.rows = int(starts[number + 1] - starts[number]) - len(of_body)
        requests.append(decoded)
    return DecodedBodies(read.rows, requests)
