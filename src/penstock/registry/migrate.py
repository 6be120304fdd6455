"""Brings the tables up to date with Alembic, whose migrations ship inside the package."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from penstock.registry.database import Database

_LOCK = 0x70656E73746F636B  # any number that no other program on this database takes


def migrate(database: Database) -> None:
    """Run the migrations that this database has not seen, all in one transaction; processes that come together queue."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with database.transaction() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
