"""Each signal of OTLP: kept or dropped, and what the sender is told."""

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from penstock.edge.otlp_signals import otlp_signals
from penstock.edge.refusal import MOST_MESSAGE_CHARACTERS
from penstock.formats.otlp import Encoding
from tests.edge.recording_door import Accepted, RecordingDoor


async def test_traces_reach_the_door_and_the_answer_says_what_was_rejected() -> None:
    door = RecordingDoor()
    door.answer = Accepted(2, "x" * (MOST_MESSAGE_CHARACTERS + 1))
    traces, *_ = otlp_signals(door)
    body = await traces.answer(traces.parse(b"", Encoding.PROTOBUF), Encoding.PROTOBUF)
    told = ExportTraceServiceResponse.FromString(body).partial_success
    assert len(door.traces) == 1
    assert (told.rejected_spans, len(told.error_message)) == (2, MOST_MESSAGE_CHARACTERS)


@pytest.mark.parametrize("number", [2, 3])
async def test_metrics_and_profiles_are_answered_with_success_and_dropped(number: int) -> None:
    door = RecordingDoor()
    door.failure = AssertionError("nothing of this reaches the door")
    dropped = otlp_signals(door)[number]
    body = await dropped.answer(dropped.parse(b"", Encoding.PROTOBUF), Encoding.PROTOBUF)
    assert not ExportMetricsServiceResponse.FromString(body).HasField("partial_success")
