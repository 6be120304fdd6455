"""The table behind a pull: a query on a database whose password stands in the environment, or Parquet files."""

from collections.abc import Mapping
from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import ArgumentError

from penstock.errors import BadInputError, ConfigurationError
from penstock.outcome_settings import PullSettings
from penstock.replay.location import Location, S3Object, list_objects, locate
from penstock.replay.parquet_table import ParquetTable
from penstock.replay.sql_table import SqlTable
from penstock.replay.watermark import Table

_PARQUET = ".parquet"


def require_sound_source(name: str, settings: PullSettings) -> None:
    """Raise ConfigurationError for a source that cannot be; whether it answers shows when it is pulled."""
    where = f"pulls.{name}"
    if bool(settings.url) == bool(settings.parquet):
        raise ConfigurationError(f"{where} needs either `url` with `query`, or `parquet`.")
    if bool(settings.url) != bool(settings.query):
        raise ConfigurationError(f"{where}: `url` and `query` belong together.")
    if settings.password_env and not settings.url:
        raise ConfigurationError(f"{where}.password_env belongs to a `url`; S3 is given its keys as AWS's tools are.")
    if settings.url and _read_url(where, settings.url).password is not None:
        raise ConfigurationError(
            f"{where}.url holds a password; put it into a variable, and the variable's name into password_env."
        )


def open_table(name: str, settings: PullSettings, environment: Mapping[str, str]) -> Table:
    """The table as it is now. Raises ConfigurationError, or BadInputError where there are no files."""
    if settings.parquet:
        return ParquetTable(_find_files(settings.parquet), [settings.parquet], settings.watermark)
    where = f"pulls.{name}"
    url = _read_url(where, settings.url)
    if settings.password_env:
        password = environment.get(settings.password_env)
        if not password:
            raise ConfigurationError(f"{where}.password_env names the variable {settings.password_env}, which is not set.")
        url = url.set(password=password)
    return SqlTable(settings.query, url, settings.watermark, setting=f"{where}.url")


def _read_url(where: str, text: str) -> sqlalchemy.URL:
    try:
        return sqlalchemy.make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            f"{where}.url is no SQLAlchemy URL; write it like postgresql+psycopg://user@host/name."
        ) from error


def _find_files(text: str) -> list[Location]:
    place = locate(text)
    found: list[Location]
    if isinstance(place, S3Object):
        found = [item for item in list_objects(place) if item.suffix.lower() == _PARQUET]
    elif place.is_dir():
        found = [path for path in sorted(place.rglob("*")) if path.is_file() and path.suffix.lower() == _PARQUET]
    else:
        found = [Path(place)] if place.is_file() else []
    if not found:
        raise BadInputError(f"There is no Parquet file at {text}.")
    return found
