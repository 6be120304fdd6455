from datetime import timedelta

import duckdb
import pyarrow as pa

from penstock.registry.export import as_arrow_tables
from penstock.registry.registry import Registry
from penstock.registry.tables import METADATA
from tests.registry.examples import NOON, a_release, a_schema, put_two_checkpoints


def test_every_table_is_there_even_when_it_is_empty(registry: Registry) -> None:
    tables = as_arrow_tables(registry)
    assert set(tables) == set(METADATA.tables)
    assert all(table.num_rows == 0 for table in tables.values())
    assert tables["releases"].schema.field("p_value").type == pa.float64()


def test_the_registry_answers_sql(registry: Registry) -> None:
    put_two_checkpoints(registry)
    registry.releases.create(a_release(created_at=NOON + timedelta(microseconds=1)))
    with duckdb.connect() as connection:
        for name, table in as_arrow_tables(registry).items():
            connection.register(name, table)
        query = """
            SELECT release_id, recipe, train_rows, epoch_us(releases.created_at)
            FROM releases JOIN checkpoints USING (checkpoint_id)
            JOIN training_runs USING (training_run_id) JOIN dataset_versions ON dataset_versions.dataset_version_id = 'd_1'
        """
        assert connection.execute(query).fetchall() == [("rel_1", "kto", 8, int(NOON.timestamp()) * 1_000_000 + 1)]


def test_what_is_nested_comes_as_json(registry: Registry) -> None:
    registry.schemas.put(a_schema())
    assert '"question":"Did the user keep it?"' in as_arrow_tables(registry)["label_schemas"]["dimensions"][0].as_py()


def test_the_hash_of_a_key_stays_inside(registry: Registry) -> None:
    registry.keys.create("editor", {"ingest"})
    keys = as_arrow_tables(registry)["keys"]
    assert keys.column_names == ["key_id", "name", "scopes", "created_at", "revoked_at"]
    assert keys["scopes"].to_pylist() == ['["ingest"]']
