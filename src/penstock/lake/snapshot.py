"""The one reader: SQL over the files of a snapshot that gives, per id, the row that counts as known at a time.

That row has the highest revision, then the latest `known_at`, then the highest place in the file list, so that the same
row written twice (a replayed batch, a re-sent span) shows once. Ids, revisions and times alone are read to find it; its
other columns are read by its place. The result is a join and no window, so that a filter on the id reaches the files.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from penstock.errors import BadInputError
from penstock.lake.arrow_schema import arrow_schema
from penstock.lake.tables import PARTITION, Table


class Snapshot(Struct, frozen=True, kw_only=True):
    """One version of one table: the files that make it up, and an empty file with every declared column."""

    table: Table
    version: int
    files: tuple[str, ...]
    empty_file: str  # gives a table without rows its columns, and old files the columns declared since


def current_sql(snapshot: Snapshot, at: datetime | None = None, candidates: str | None = None, *, are_listed: bool = True) -> str:
    """The rows that count as known at `at`; `candidates` is a condition on the id column alone, which lists ids or has a set."""
    table = snapshot.table
    same = " AND ".join(f"row.{quote(name)} = winner.{quote(name)}" for name in table.identity)
    # A list is said on both sides, since the join does not pass it on. A large set is not: DuckDB would hold all rows, texts
    # included, to look the set up in them, where it streams them past the winners.
    conditions = [*_shown(table), *([f"row.{candidates}"] if candidates and are_listed else [])]
    return (
        f"SELECT {_columns(table, 'row.')} FROM {source_sql(snapshot)} AS row JOIN ({_winners_sql(snapshot, at, candidates)}) AS "
        f"winner ON {same} AND row.file_index = winner.place.file_index AND row.file_row_number = winner.place.file_row_number"
        f"{_where(conditions)}"
    )


def places_sql(snapshot: Snapshot, at: datetime | None = None, candidates: str | None = None) -> str:
    """Where the same rows lie: file_index and file_row_number."""
    return f"SELECT place.file_index, place.file_row_number FROM ({_winners_sql(snapshot, at, candidates)})"


def rows_at_sql(snapshot: Snapshot, places: str) -> str:
    """The rows that lie at these places, a table of places_sql() on the same snapshot, as current_sql() gives them."""
    return (
        f"SELECT {_columns(snapshot.table, 'row.')} FROM {source_sql(snapshot)} AS row JOIN {places} AS place ON "
        f"row.file_index = place.file_index AND row.file_row_number = place.file_row_number{_where(_shown(snapshot.table))}"
    )


def _winners_sql(snapshot: Snapshot, at: datetime | None, candidates: str | None) -> str:
    table = snapshot.table
    order = ["known_at", "file_index", "file_row_number"]
    if table.has_revisions:
        order.insert(0, "revision")
    identity = ", ".join(quote(name) for name in table.identity)
    chosen = _where([*_known(at), *([candidates] if candidates else [])])
    return f"SELECT {identity}, max(struct_pack({', '.join(order)})) AS place FROM {source_sql(snapshot)}{chosen} GROUP BY ALL"


def _shown(table: Table) -> list[str]:
    return [f"row.{quote(table.hidden_when)} IS NULL"] if table.hidden_when else []


def revisions_sql(snapshot: Snapshot, at: datetime | None = None) -> str:
    """Every row known at `at`, superseded ones and repeated ones included."""
    source = source_sql(snapshot)
    return f"SELECT {_columns(snapshot.table)} FROM {source}{_where(_known(at))}"


def rows_sql(snapshot: Snapshot, columns: Sequence[str] | None) -> str:
    """Some columns of every row, in the order of the files."""
    chosen = ", ".join(quote(name) for name in columns) if columns is not None else _columns(snapshot.table)
    return f"SELECT {chosen} FROM {source_sql(snapshot)}"


def of_days(snapshot: Snapshot, dates: tuple[date, date] | None) -> Snapshot:
    """The files of the partitions from one day to another, both included; None stands for all."""
    if dates is None:
        return snapshot
    first, last = dates
    return of_files(snapshot, [file for file in snapshot.files if first <= day_of(file) <= last])


def of_files(snapshot: Snapshot, files: Iterable[str]) -> Snapshot:
    """Some of its files alone."""
    return replace(snapshot, files=tuple(files))


def file_at(snapshot: Snapshot, file_index: int) -> str:
    """The file that `file_index` means in source_sql(), where the empty one comes first."""
    return snapshot.files[file_index - 1]


def name_of(folder: object, file: str) -> str:
    """A file of a table's folder as its log names it."""
    return file.removeprefix(f"{folder}/")


def day_of(file: str) -> date:
    """The partition that a file lies in."""
    return _day(file.rsplit("/", 2)[-2])


@cache
def _day(folder: str) -> date:
    return date.fromisoformat(folder.removeprefix(f"{PARTITION}="))


def source_sql(snapshot: Snapshot) -> str:
    """Every row of the files, to be selected from; `file_index` and `file_row_number` say where each lies."""
    listed = ", ".join(literal(file) for file in (snapshot.empty_file, *snapshot.files))
    return f"read_parquet([{listed}], hive_partitioning = true, hive_types = {{'{PARTITION}': 'DATE'}}, union_by_name = true)"


def _known(at: datetime | None) -> list[str]:
    return [f"known_at <= {instant(at)}"] if at is not None else []


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def instant(at: datetime) -> str:
    """A time as a SQL value. Raises BadInputError where it has no zone."""
    if at.tzinfo is None:
        raise BadInputError(f"The time {at.isoformat()} has no time zone; give it one, for example UTC.")
    return f"TIMESTAMPTZ '{at.astimezone(UTC).strftime('%Y-%m-%d %H:%M:%S.%f')}+00'"


def _columns(table: Table, prefix: str = "") -> str:
    return ", ".join(prefix + quote(name) for name in arrow_schema(table).names)


def quote(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Text as a SQL string."""
    return "'" + text.replace("'", "''") + "'"
