from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pyarrow.parquet as pq
import pytest
from msgspec import Struct, defstruct

from penstock.errors import StorageError
from penstock.lake.arrow_schema import arrow_schema, to_arrow
from penstock.lake.creation import create_table, empty_file
from penstock.lake.delta import open_delta
from penstock.lake.lake import Lake
from penstock.lake.local_place import LocalPlace
from penstock.lake.open_table import OpenTable
from penstock.lake.place import Place
from penstock.lake.snapshot import current_sql
from penstock.lake.tables import TABLES, Table, find_table
from penstock.settings import LakeSettings
from tests.lake.on_disk import only_on_disk
from tests.lake.rows import NOON, make_signal, shown


def test_creating_again_changes_nothing(lake: Lake) -> None:
    lake.append("signals", [make_signal(1)])
    lake.create()
    assert lake.version("signals") == 1 and shown(lake) == [("s_1", 0)]


def test_every_table_is_made_with_its_partition(lake: Lake) -> None:
    for name in TABLES:
        assert open_delta(lake.root / name).metadata().partition_columns == ["date"]


def test_the_empty_file_has_every_declared_column(lake: Lake) -> None:
    names = pq.read_schema(empty_file(lake.root, find_table("spans")).parquet_source()).names
    assert [*names, "date"] == arrow_schema(find_table("spans")).names


@only_on_disk
@pytest.mark.parametrize("content", [b"", b"PAR1 and then the power went", b"PAR1PAR1"])
def test_a_torn_empty_file_is_written_anew_and_the_lake_opens(lake: Lake, content: bytes) -> None:
    lake.append("signals", [make_signal(1)])
    torn = empty_file(lake.root, find_table("signals"))
    torn.write_bytes(content)
    again = Lake(lake.root, lake.settings)
    again.create()
    assert shown(again) == [("s_1", 0)]


def test_a_table_whose_log_is_gone_is_made_again(lake: Lake) -> None:
    for entry in (lake.root / "draws" / "_delta_log").glob("*"):
        entry.unlink()
    again = Lake(lake.root, lake.settings)
    again.create()
    assert again.version("draws") == 0


def _declare(*columns: tuple[str, object]) -> Table:
    record = defstruct("Thing", [("id", str), ("known_at", type(NOON)), *columns], frozen=True, kw_only=True)
    return Table(name="things", record=record, identity=("id",), time_column="known_at", bloom_columns=("id",))


def _thing(table: Table, **fields: object) -> Struct:
    return table.record(known_at=NOON, **fields)


def test_a_column_declared_later_is_empty_in_older_rows(lake: Lake) -> None:
    before, after = _declare(), _declare(("colour", str), ("tags", dict[str, str]))
    create_table(lake.root, before)
    OpenTable(lake.root, before).append(to_arrow(before, [_thing(before, id="old")]), {})
    create_table(lake.root, after)
    opened = OpenTable(lake.root, after)
    assert opened.snapshot().version == 2
    rows = lake.query(f"SELECT id, colour, tags FROM ({current_sql(opened.snapshot())})")
    assert rows.to_pylist(maps_as_pydicts="strict") == [{"id": "old", "colour": None, "tags": None}]
    opened.append(to_arrow(after, [_thing(after, id="new", colour="red", tags={"a": "b"})]), {})
    rows = lake.query(f"SELECT id, colour FROM ({current_sql(opened.snapshot())}) ORDER BY id")
    assert rows.to_pylist() == [{"id": "new", "colour": "red"}, {"id": "old", "colour": None}]


def test_a_column_that_changes_its_type_is_an_error(root: Place) -> None:
    create_table(root, _declare(("size", int)))
    with pytest.raises(StorageError, match=r"holds size with another type"):
        create_table(root, _declare(("size", str)))


@pytest.mark.parametrize("attempt", range(4))
def test_many_that_make_a_lake_at_the_same_time_all_find_it_made(tmp_path: Path, attempt: int) -> None:
    barrier = Barrier(8)

    def make(number: int) -> None:
        lake = Lake(tmp_path, LakeSettings())
        barrier.wait()
        lake.create()
        lake.append("signals", [make_signal(number)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(8)))
    assert len(shown(Lake(tmp_path, LakeSettings()))) == 8


def test_many_that_add_a_column_at_the_same_time_all_find_it_added(tmp_path: Path) -> None:
    create_table(LocalPlace(tmp_path), _declare())
    wider, barrier = _declare(("note", str | None), ("more", str | None)), Barrier(8)

    def widen(_: int) -> None:
        barrier.wait()
        create_table(LocalPlace(tmp_path), wider)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(widen, range(8)))
    names = [field.name for field in open_delta(LocalPlace(tmp_path) / "things").schema().fields]
    assert sorted(names) == sorted(arrow_schema(wider).names)
