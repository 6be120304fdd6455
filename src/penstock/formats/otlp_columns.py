"""A trace request in protobuf as columns of Arrow: ids, times and attributes of all its spans end to end, no object per span.

The reader is given a narrower description of the same wire format: what is seldom there and nested without end (events, arrays,
maps) is described as bytes, which protobuf encodes alike, and so stays encoded until somebody asks for it.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from msgspec import Struct
from opentelemetry.proto.common.v1.common_pb2 import ArrayValue, InstrumentationScope, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from ptars import HandlerPool

from penstock.errors import BadInputError

_TYPES = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "enum": FieldDescriptorProto.TYPE_INT32,  # which is how an enumeration is encoded
    "fixed64": FieldDescriptorProto.TYPE_FIXED64,
}
# message -> its fields by number, as opentelemetry.proto.trace.v1 and common.v1 have them
_VIEW: dict[str, dict[int, str]] = {
    "AnyValue": {
        1: "string string_value",
        2: "bool bool_value",
        3: "int64 int_value",
        4: "double double_value",
        # Repeated, as scopes and resources are; and so in no oneof, which shows a value of two kinds as that.
        5: "repeated bytes array_value",
        6: "repeated bytes kvlist_value",
        7: "bytes bytes_value",
    },
    "KeyValue": {1: "string key", 2: "AnyValue value"},
    "Status": {2: "string message", 3: "enum code"},
    "Span": {
        1: "bytes trace_id",
        2: "bytes span_id",
        3: "string trace_state",
        4: "bytes parent_span_id",
        5: "string name",
        7: "fixed64 start_time_unix_nano",
        8: "fixed64 end_time_unix_nano",
        9: "repeated KeyValue attributes",
        11: "repeated bytes events",
        13: "repeated bytes links",
        15: "Status status",
    },
    # One scope and one resource, as repeated: of a message given twice, which protobuf merges, bytes would be the last alone.
    "ScopeSpans": {1: "repeated bytes scope", 2: "repeated Span spans", 3: "string schema_url"},
    "ResourceSpans": {1: "repeated bytes resource", 2: "repeated ScopeSpans scope_spans", 3: "string schema_url"},
    "Request": {1: "repeated ResourceSpans resource_spans"},
}
Indexes = npt.NDArray[np.int64]


class TraceColumns(Struct, frozen=True, kw_only=True):
    """The spans of some requests; `*_starts` have one more entry than there are things that begin there."""

    body_starts: Indexes  # of the spans of each request
    trace_id: Any  # pa.BinaryArray, as all that follow are Arrow arrays
    span_id: Any
    parent_span_id: Any
    name: Any
    start_ns: npt.NDArray[np.uint64]
    end_ns: npt.NDArray[np.uint64]
    event_counts: Indexes
    status_code: npt.NDArray[np.int32]
    status_message: Any
    attribute_starts: Indexes
    keys: Any  # of all attributes, span after span
    values: dict[str, Any]  # by kind of value; of an attribute one is not null
    group: Indexes  # of each span: which of `groups` it stands in
    groups: list[tuple[bytes, bytes]]  # encoded resource and scope

    def __len__(self) -> int:
        """How many spans."""
        return len(self.start_ns)


def read_trace_columns(bodies: Sequence[bytes]) -> TraceColumns:
    """The columns of encoded ExportTraceServiceRequests, one after the other; BadInputError where one of them is none."""
    try:
        return _columns(_reader().list_to_record_batch(list(bodies)).column(0))
    except (ValueError, DecodeError) as error:
        raise BadInputError(
            f"The body of {sum(map(len, bodies))} bytes is no ExportTraceServiceRequest in protobuf ({error}); "
            "check that it is complete, and compressed only where Content-Encoding says so."
        ) from error


def _columns(requests: Any) -> TraceColumns:
    """Of all requests as they were read; DecodeError where something in them that stays encoded is none."""
    # No list is null or sliced here, so that `values`, which costs nothing, is what `flatten` copies.
    resources = requests.values
    scopes = resources.field("scope_spans").values
    spans = scopes.field("spans").values
    attributes = spans.field("attributes")
    pairs = attributes.values
    scope_counts = _counts(resources.field("scope_spans"))
    resource_of_scope = np.repeat(np.arange(len(resources)), scope_counts)
    resource = [_merged(Resource, pieces) for pieces in resources.field("resource").to_pylist()]
    scope = [_merged(InstrumentationScope, pieces) for pieces in scopes.field("scope").to_pylist()]
    for index in np.flatnonzero(scope_counts == 0):
        Resource.FromString(resource[index])  # nobody else reads it
    for link in spans.field("links").values.to_pylist():
        Span.Link.FromString(link)  # links are not kept, but a body is whole or it is none
    status = spans.field("status")
    span_starts = scopes.field("spans").offsets.to_numpy()
    scope_starts = resources.field("scope_spans").offsets.to_numpy()
    return TraceColumns(
        body_starts=span_starts[scope_starts[requests.offsets.to_numpy()]],
        trace_id=spans.field("trace_id"),
        span_id=spans.field("span_id"),
        parent_span_id=spans.field("parent_span_id"),
        name=spans.field("name"),
        start_ns=spans.field("start_time_unix_nano").to_numpy(),
        end_ns=spans.field("end_time_unix_nano").to_numpy(),
        event_counts=_counts(spans.field("events")),
        status_code=_status_field(status, "code").fill_null(0).to_numpy(),
        status_message=_status_field(status, "message"),
        attribute_starts=attributes.offsets.to_numpy().astype(np.int64),
        keys=pairs.field("key"),
        values=_values(pairs.field("value")),
        group=np.repeat(np.arange(len(scopes)), _counts(scopes.field("spans"))),
        groups=[(resource[index], scope[number]) for number, index in enumerate(resource_of_scope)],
    )


def _values(values: Any) -> dict[str, Any]:
    """AnyValues by kind, an encoded array or map in one piece."""
    kinds = dict(zip((field.name for field in values.type), values.flatten(), strict=True))
    for name, message in (("array_value", ArrayValue), ("kvlist_value", KeyValueList)):
        kinds[name] = _in_one_piece(kinds[name], message)
    return kinds


def _in_one_piece(lists: Any, message: type[Message]) -> Any:
    """Null where there is no piece; nearly always there is one at most."""
    if len(lists.values) == 0:
        return pa.nulls(len(lists), pa.binary())
    starts = lists.offsets.to_numpy()
    counts = np.diff(starts)
    if counts.max() == 1:
        return lists.values.take(pa.array(starts[:-1], mask=counts == 0))
    return pa.array([_merged(message, pieces) if pieces else None for pieces in lists.to_pylist()], pa.binary())


def _merged(message: type[Message], pieces: Sequence[bytes]) -> bytes:
    """A message given several times, as protobuf merges it; end to end broken ones could make a whole one, so each is read."""
    if len(pieces) > 1:
        for piece in pieces:
            message.FromString(piece)
    return b"".join(pieces)


def _status_field(status: Any, name: str) -> Any:
    """A field of a struct that may itself be missing."""
    return pa.compute.struct_field(status, name)


def _counts(lists: Any) -> Indexes:
    counts: Indexes = np.diff(lists.offsets.to_numpy()).astype(np.int64)
    return counts


@cache
def _reader() -> Any:
    """Made at the first request, for whoever imports this and reads none."""
    file = FileDescriptorProto(name="penstock_otlp_view.proto", package="penstock.otlp_view", syntax="proto3")
    for message, fields in _VIEW.items():
        described = file.message_type.add(name=message)
        for number, declaration in fields.items():
            *repeated, kind, name = declaration.split()
            field = described.field.add(name=name, number=number)
            field.label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
            if kind in _VIEW:
                field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{file.package}.{kind}"
            else:
                field.type = _TYPES[kind]
            if message == "AnyValue" and not repeated:
                field.oneof_index = 0
        if message == "AnyValue":
            described.oneof_decl.add(name="value")
    pool = DescriptorPool()
    pool.Add(file)
    described_request = pool.FindMessageTypeByName(f"{file.package}.Request")
    return HandlerPool([described_request.file]).get_for_message(described_request)
