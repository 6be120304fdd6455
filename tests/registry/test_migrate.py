from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from penstock.registry.registry import Registry
from penstock.registry.tables import METADATA
from tests.registry import processes
from tests.registry.examples import a_suite


def _difference(registry: Registry) -> list[object]:
    with registry.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


def test_migrations_make_the_tables_that_the_records_describe(registry: Registry) -> None:
    assert _difference(registry) == []


def test_the_comparison_sees_what_is_missing(registry: Registry) -> None:
    with registry.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE leases")
    assert len(_difference(registry)) == 1


def test_migrating_again_keeps_what_is_there(registry: Registry) -> None:
    registry.suites.put(a_suite())
    registry.migrate()
    assert registry.suites.list() == [a_suite()]


def test_processes_that_start_together_migrate_once(registry_url: str) -> None:
    assert processes.run_at_once(4, processes.migrate, registry_url) == [0, 0, 0, 0]
    registry = Registry(registry_url)
    assert _difference(registry) == []
    registry.close()
