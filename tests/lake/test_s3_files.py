"""Reading parts of objects, as pyarrow and DuckDB do."""

import io

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.lake.s3_files import S3Files, S3Reader
from penstock.lake.s3_place import S3Place
from tests.s3 import S3Server


@pytest.fixture
def place(s3_server: S3Server) -> S3Place:
    return s3_server.new_root() / "x"


def _reader(place: S3Place, content: bytes) -> S3Reader:
    place.replace_durably(content)
    reader = place.parquet_source()
    assert isinstance(reader, S3Reader)
    return reader


def test_a_file_is_read_in_parts_from_anywhere(place: S3Place) -> None:
    reader = _reader(place, b"0123456789")
    assert (reader.read(3), reader.tell(), reader.read(3)) == (b"012", 3, b"345")
    assert (reader.seek(-2, io.SEEK_END), reader.read(), reader.read(5)) == (8, b"89", b"")
    assert (reader.seek(1), reader.seek(2, io.SEEK_CUR), reader.read(1)) == (1, 3, b"3")
    buffer = bytearray(20)
    assert (reader.readinto(buffer), bytes(buffer[:6])) == (6, b"456789")


def test_an_empty_file_is_read(place: S3Place) -> None:
    assert _reader(place, b"").read() == b""


def test_a_file_that_is_gone_is_an_os_error(place: S3Place) -> None:
    reader = _reader(place, b"0123456789")
    place.unlink()
    with pytest.raises(OSError, match="not found"):
        reader.read()


def test_duckdb_reads_parquet_and_writes_nothing(place: S3Place) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": range(100_000)}), sink, row_group_size=10_000)
    place.replace_durably(sink.getvalue().to_pybytes())
    connection = duckdb.connect()
    place.prepare(connection)
    assert connection.sql(f"SELECT sum(a) FROM read_parquet('{place}') WHERE a > 99997").fetchall() == [(199997,)]
    with pytest.raises(Exception, match="can only be read"):
        connection.sql(f"COPY (SELECT 1) TO '{place.parent}/mine.parquet'")
    assert not (place.parent / "mine.parquet").is_file()


def test_what_is_known_of_a_file_is_asked_once_but_for_the_one_that_may_change(place: S3Place) -> None:
    data, schema = place.parent / "part.parquet", place.parent / "empty.parquet"
    files = S3Files("lake", place._bucket.store)
    for path in (data, schema):
        path.replace_durably(b"12")
        assert files.size(str(path)) == 2
        path.replace_durably(b"123")
    assert (files.size(str(data)), files.size(str(schema))) == (2, 3)
