import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from penstock.errors import BadInputError
from penstock.replay import otlp_bodies
from penstock.replay.call import to_request
from penstock.replay.log_rows import LogRow
from penstock.replay.otlp_bodies import is_body, read_body
from penstock.replay.row_mapping import map_row
from tests.replay.examples import NOW, small_mapping, small_rows


def traces() -> bytes:
    return to_request([map_row(LogRow(1, small_rows(1)[0], None, 0.0), "a", small_mapping(), NOW)]).SerializeToString()


def logs() -> bytes:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(event_name="gen_ai.evaluation.result", severity_number=9)
    return request.SerializeToString()


def write(path: Path, content: bytes, headers: dict[str, Any] | None = None) -> Path:
    path.write_bytes(content)
    if headers is not None:
        (path.parent / (path.name.split(".pb")[0] + ".headers.json")).write_text(json.dumps(headers))
    return path


def test_the_headers_beside_a_body_say_where_it_goes(tmp_path: Path) -> None:
    assert read_body(write(tmp_path / "logs.pb", traces(), {"method": "POST", "path": "/v1/traces"})).signal == "traces"
    grpc = {"method": "/opentelemetry.proto.collector.logs.v1.LogsService/Export", "metadata": []}
    assert read_body(write(tmp_path / "b.pb.gz", gzip.compress(logs()), grpc)).signal == "logs"


def test_else_the_name_says_it_and_else_the_content(tmp_path: Path) -> None:
    assert read_body(write(tmp_path / "v1_logs.01.pb", logs())).signal == "logs"
    assert read_body(write(tmp_path / "one.pb", logs())).signal == "logs"
    assert read_body(write(tmp_path / "two.pb", traces())).signal == "traces"


def test_json_says_it_itself(tmp_path: Path) -> None:
    request = ExportLogsServiceRequest.FromString(logs())
    body = read_body(write(tmp_path / "traces.json", json_format.MessageToJson(request).encode()))
    assert (body.signal, body.content_type) == ("logs", "application/json")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("traces.pb", traces()[:-5], "no ExportTraceServiceRequest"),
        ("a.pb", b"\xff\xff", "no OTLP"),
        ("a.json", b"[1]", "neither resourceSpans nor resourceLogs"),
        ("a.json", b"{", "is not JSON"),
    ],
)
def test_what_is_no_body_is_refused_by_name(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    with pytest.raises(BadInputError, match=f"{name}.*{reason}"):
        read_body(write(tmp_path / name, content))


def test_a_body_for_another_endpoint_and_one_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInputError, match="POST /v1/metrics, which is neither"):
        read_body(write(tmp_path / "a.pb", b"", {"method": "POST", "path": "/v1/metrics"}))
    monkeypatch.setattr(otlp_bodies, "MAX_BODY_BYTES", 100)
    with pytest.raises(BadInputError, match="unpacks to more than 100 bytes"):
        read_body(write(tmp_path / "b.pb.gz", gzip.compress(b"x" * 1000)))


def test_headers_files_and_logs_are_no_bodies() -> None:
    assert is_body(Path("a.pb"))
    assert is_body(Path("a.json.gz"))
    assert not is_body(Path("a.headers.json"))
    assert not is_body(Path("a.csv"))
