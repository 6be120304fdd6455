"""An edge whose spool is on its disk and whose lake is on S3, while the S3 server is killed and started again."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from penstock.errors import PenstockError
from penstock.lake.lake import Lake
from penstock.lake.location import find_lake
from tests.edge.live_server import wait_for
from tests.edge.test_process import running_edge
from tests.ingest.otlp_requests import CHAT, trace_request
from tests.s3 import S3Server, running_s3

_SPANS = 20  # in a request
_DRAIN_S = 90.0


@pytest.fixture
def server() -> Iterator[S3Server]:
    """One that a test may kill."""
    with running_s3() as server:
        yield server


def _send(url: str, first: int) -> None:
    request = ExportTraceServiceRequest()
    for number in range(first, first + _SPANS):
        identifier = number + 1
        content = {"gen_ai.response.id": f"r_{number}", "gen_ai.input.messages": f'[{{"role": "user", "content": "{number}"}}]'}
        trace_request(
            {**CHAT, **content}, trace_id=identifier.to_bytes(16, "big"), span_id=identifier.to_bytes(8, "big"), request=request
        )
    headers = {"content-type": "application/x-protobuf"}
    response = httpx.post(f"{url}/v1/traces", content=request.SerializeToString(), headers=headers, timeout=30)
    assert response.status_code == 200


def _penstock(home: Path, settings: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "penstock.cli", *arguments]
    environment = {**os.environ, "PENSTOCK_HOME": str(home), **settings}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _stored(lake: Lake) -> int:
    """How many spans are there; none where a commit is taken back just now, and its file with it."""
    try:
        return int(lake.revisions("spans").count().to_pyarrow().as_py())
    except (PenstockError, duckdb.Error):
        return 0


@pytest.mark.timeout(300)
@pytest.mark.slow
@pytest.mark.parametrize("kills", [1, 6])
def test_a_server_that_is_killed_costs_nothing_and_doubles_nothing(home: Path, server: S3Server, kills: int) -> None:
    lake_settings = server.new_settings()
    settings = {
        "PENSTOCK_LAKE_URL": lake_settings.url,
        "PENSTOCK_LAKE_ENDPOINT": lake_settings.endpoint,
        "PENSTOCK_EDGE_FLUSH_INTERVAL_S": "0.1",
        **server.environment,
    }
    sent = 0
    with running_edge(home, **settings) as (_, running):
        for _ in range(kills):
            for _ in range(4):
                _send(running.url, sent)
                sent += _SPANS
                time.sleep(0.1)  # so that some of the kills meet a flush
            server.kill()
            _send(running.url, sent)
            sent += _SPANS
            server.start()
        lake = Lake(find_lake(lake_settings, home, server.environment), lake_settings)
        wait_for(lambda: _stored(lake) >= sent, _DRAIN_S)
    written = [row.span_id for row in lake.to_records("spans", lake.revisions("spans"))]
    assert len(written) == sent == len(set(written))
    assert not (home / "lake").exists()

    _penstock(home, settings, "signals", "run")
    query = "SELECT count(*) AS n, count(DISTINCT response_id) AS answers FROM interactions"
    assert json.loads(_penstock(home, settings, "sql", query, "--json")) == [{"n": sent, "answers": sent}]
    shown = _penstock(home, settings, "config")
    assert "lake.url" in shown and server.environment["AWS_SECRET_ACCESS_KEY"] not in shown
