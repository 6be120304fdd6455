"""Parquet that grows, on the disk and on a real S3 server: read from a watermark on, in its order, whole."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.errors import BadInputError, ConfigurationError
from penstock.replay import parquet_table
from penstock.replay.location import s3_filesystem
from penstock.replay.parquet_table import ParquetTable
from penstock.replay.row_reader import mapped_rows
from penstock.replay.run import ReplayReport, find_files, replay_files, replay_table
from tests.replay.examples import small_mapping
from tests.replay.receiver import Receiver
from tests.replay.test_run import QUICK
from tests.replay.test_sql_table import MAPPING, request_ids
from tests.s3 import BUCKET, S3Server

START = datetime(2026, 3, 1, 10, tzinfo=UTC)


class Folder:
    """Where the files of a test lie; `write` and `url` are all that tells a disk from S3."""

    def __init__(self, url: str, filesystem: Any, root: str) -> None:
        self.url = url
        self._filesystem = filesystem
        self._root = root

    def write(self, name: str, rows: list[dict[str, Any]]) -> None:
        with self._filesystem.open_output_stream(f"{self._root}/{name}") as stream:
            pq.write_table(pa.Table.from_pylist(rows), stream)


@pytest.fixture(params=["disk", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    if request.param == "disk":
        (tmp_path / "logs").mkdir()
        return Folder(str(tmp_path / "logs"), pa.fs.LocalFileSystem(), str(tmp_path / "logs"))
    server: S3Server = request.getfixturevalue("s3_server")
    _go_by_environment(server, monkeypatch)
    folder = f"{BUCKET}/{tmp_path.name}/logs"
    return Folder(f"s3://{folder}", s3_filesystem(), folder)


def _go_by_environment(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**server.environment, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": server.endpoint}.items():
        monkeypatch.setenv(name, value)


def rows(numbers: range, **changes: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "at": START,
            "question": "How?",
            "answer": "So.",
            "cost": 0.25,
            "updated_at": START + timedelta(minutes=number // 3),
            **changes,
        }
        for number in numbers
    ]


READER = mapped_rows(small_mapping(MAPPING))


def replay(receiver: Receiver, home: Path, folder: Folder) -> ReplayReport:
    table = ParquetTable(find_files([folder.url], READER), [folder.url], "updated_at")
    return replay_table(table, edge_url=receiver.url, api_key=None, reader=READER, home=home, patience=QUICK)


def test_files_that_come_later_are_read_from_the_watermark_on(receiver: Receiver, home: Path, folder: Folder) -> None:
    folder.write("a.parquet", rows(range(0, 200, 2)))
    folder.write("b.parquet", rows(range(1, 200, 2)))
    assert replay(receiver, home, folder).sent == 200
    assert replay(receiver, home, folder).sent == 0
    folder.write("c.parquet", rows(range(198, 210)))  # 198 and 199 were there already; 200 shares the last value of the watermark
    report = replay(receiver, home, folder)
    assert (report.sent, report.skipped) == (10, 200)
    assert len(request_ids(receiver)) == len(set(request_ids(receiver))) == 210


def test_a_table_of_many_windows_comes_whole_and_in_order(
    receiver: Receiver, home: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_table, "_WINDOW_ROWS", 7)
    many = rows(range(100)) + rows(range(100, 130), updated_at=START)
    random.Random(3).shuffle(many)
    folder.write("a.parquet", many[:65])
    folder.write("b.parquet", many[65:])
    table = ParquetTable(find_files([folder.url], READER), [folder.url], "updated_at")
    found = [row for row, _ in table.read(None, frozenset())]
    assert [row["updated_at"] for row in found] == sorted(row["updated_at"] for row in many)
    assert sorted(row["id"] for row in found) == list(range(130))


def test_rows_without_a_watermark_are_counted(receiver: Receiver, home: Path, folder: Folder) -> None:
    folder.write("a.parquet", [*rows(range(3)), *rows(range(3, 5), updated_at=None)])
    report = replay(receiver, home, folder)
    assert (report.sent, report.passed_over) == (3, {"rows without a value in `updated_at`": 2})


def test_without_a_watermark_a_file_is_replayed_once(receiver: Receiver, home: Path, folder: Folder) -> None:
    folder.write("a.parquet", rows(range(5)))
    options: Any = {"edge_url": receiver.url, "api_key": None, "reader": READER, "home": home, "patience": QUICK}
    assert replay_files([folder.url], **options).sent == 5
    folder.write("b.parquet", rows(range(5, 8)))
    report = replay_files([folder.url], **options)
    assert (report.files, report.sent, report.skipped) == (2, 3, 5)


def test_lines_of_json_are_read_from_s3_as_a_stream(
    receiver: Receiver, home: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    _go_by_environment(s3_server, monkeypatch)
    lines = "".join(
        f'{{"id": {number}, "at": "2026-03-01T10:00:00Z", "question": "How?", "answer": "So."}}\n' for number in range(3)
    )
    with s3_filesystem().open_output_stream(f"{BUCKET}/lines/a.jsonl") as stream:
        stream.write(lines.encode())
    options: Any = {"edge_url": receiver.url, "api_key": None, "reader": READER, "home": home, "patience": QUICK}
    assert replay_files([f"s3://{BUCKET}/lines/*.jsonl"], **options).sent == 3
    with pytest.raises(BadInputError, match=f"There is nothing at s3://{BUCKET}/none"):
        find_files([f"s3://{BUCKET}/none"], READER)


def test_what_has_no_such_column_or_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(rows(range(1))), path)
    with pytest.raises(BadInputError, match="no column `changed_at`"):
        list(ParquetTable([path], ["a"], "changed_at").read(None, frozenset()))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(BadInputError, match="cannot be read"):
        list(ParquetTable([tmp_path / "broken.parquet"], ["b"], "updated_at").read(None, frozenset()))
    with pytest.raises(ConfigurationError, match="replayed once"):
        ParquetTable([tmp_path / "a.jsonl"], ["a"], "updated_at")
