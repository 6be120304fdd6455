"""The lake: append rows for good, read what is new, read what counts as known at a time.

Append only: an amended row is appended with a higher revision. What append() has returned is on the disk. One Lake is
used by one thread at a time. Processes that use a lake are spawned, never forked: after a fork deltalake panics with a
BaseException that no `except Exception` catches.
"""

import shutil
import tempfile
import weakref
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import msgspec
import pyarrow as pa
from ibis.expr.operations import DatabaseTable, Namespace
from msgspec import Struct

from penstock.lake import in_memory, saved_numbers
from penstock.lake.arrow_schema import arrow_schema, conform, from_arrow, to_arrow
from penstock.lake.arrow_values import column_values
from penstock.lake.candidates import CandidateSets
from penstock.lake.changes import Changes, read_changes
from penstock.lake.compiled import Compiled, compiled_once
from penstock.lake.creation import create_table
from penstock.lake.durability import make_durable
from penstock.lake.erasing import clear_quarantine, erase_rows, purge_table
from penstock.lake.file_index import FileIndex
from penstock.lake.folding import fold_table, require_answerable
from penstock.lake.local_place import LocalPlace
from penstock.lake.locked_sql import LockedConnection
from penstock.lake.maintenance import Maintained, maintain_table, slowest_readers
from penstock.lake.open_table import OpenTable
from penstock.lake.partitions import partitions, partitions_due
from penstock.lake.place import Place
from penstock.lake.repair import Repaired, find_commit, is_intact, repair_table, revert_commit
from penstock.lake.retention import expire_table, kept_days
from penstock.lake.rewriting import Replace, replace_rows
from penstock.lake.snapshot import (
    Snapshot,
    current_sql,
    file_at,
    literal,
    of_days,
    of_files,
    places_sql,
    quote,
    revisions_sql,
    rows_at_sql,
    source_sql,
)
from penstock.lake.storage_failure import storage_failures
from penstock.lake.tables import TABLES, find_table, source_of
from penstock.lake.transaction_log import all_transactions, read_entry
from penstock.settings import LakeSettings, RetentionSettings

NO_END = RetentionSettings(spans_days=0)

Ids = Sequence[str] | pa.Table  # of a table the first column
Days = tuple[date, date]  # the first and the last, both included

_GIVEN = "given_rows"  # what the rows are called that select() works on


class Lake:
    """Every table under one folder."""

    def __init__(self, root: Path | Place, settings: LakeSettings) -> None:
        self.root: Place = LocalPlace(root.absolute()) if isinstance(root, Path) else root
        self.settings = settings
        self._tables: dict[str, OpenTable] = {}
        self._indexes: dict[tuple[str, str], FileIndex] = {}
        self._gate = self.root.writers_gate()

    @cached_property
    def _backend(self) -> Any:
        backend: Any = ibis.duckdb.connect()
        self.root.prepare(backend.con)
        backend.con.execute("SET parquet_metadata_cache = true")  # a file never changes under its name
        in_memory.prepare(backend.con)
        backend.con.execute("SET enable_external_file_cache = false")  # the system's own is enough, and shared
        backend.con.execute(f"SET temp_directory = {literal(self._spill)}")
        return backend

    @cached_property
    def _spill(self) -> str:
        """Where DuckDB puts what does not fit into memory: a folder that nobody else may read, and that goes with this object."""
        folder = tempfile.mkdtemp(prefix="penstock-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    @cached_property
    def _candidates(self) -> CandidateSets:
        return CandidateSets(self._backend.con)

    def create(self) -> None:
        """Make the tables that are missing and add the columns that are; harmless to repeat."""
        for table in TABLES.values():
            create_table(self.root, table)

    def append(
        self, table: str, rows: Sequence[Struct] | pa.Table, *, transactions: Mapping[str, int] | None = None
    ) -> int | None:
        """Append durably and give the commit's version; None where the transactions say that it was done before.

        Each transaction names a writer and the number of its batch; no rows still advance them.
        """
        declared = find_table(table)
        arriving = conform(declared, rows) if isinstance(rows, pa.Table) else to_arrow(declared, rows)
        if arriving.num_rows == 0 and not transactions:
            return self.version(table)
        with self._gate.shared():
            return self._open(table).append(arriving, transactions or {})

    def writing(self) -> AbstractContextManager[None]:
        """For who reads in order to write: an erasure waits for the end, and cannot come between."""
        return self._gate.shared()

    def is_wanted_alone(self) -> bool:
        """Whether somebody waits for the end of writing(): what goes on for long ends early then, and goes on later."""
        return self._gate.is_wanted()

    def alone(self) -> AbstractContextManager[None]:
        """Be the only writer, in any process, which erasing needs; others wait. Not from within writing()."""
        return self._gate.alone()

    def check(self, table: str, rows: pa.Table) -> pa.Table:
        """The rows in the table's columns, without writing them; BadInputError where they do not fit."""
        return conform(find_table(table), rows)

    def to_rows(self, table: str, records: Sequence[Struct]) -> pa.Table:
        """Records in the table's columns, without writing them."""
        return to_arrow(find_table(table), records)

    def transaction_version(self, table: str, app: str) -> int | None:
        """The number that this writer or reader has reached on this table."""
        return self._open(table).transaction_version(app)

    def version(self, table: str) -> int:
        """The latest commit."""
        return int(self._open(table).latest().version())

    def days(self, table: str) -> list[date]:
        """The days on which a table has rows, ascending."""
        return partitions(self._open(table).latest())

    def changes(
        self, table: str, after: int | None, columns: Sequence[str] | None = None, max_rows: int | None = None
    ) -> Changes:
        """The rows that commits after a version brought, and the version up to which that is all.

        Whole commits only: with max_rows as many as fit, and at least one that has rows. A row may come again after a
        repair, so work on them must be idempotent. Keep the version under `tables.reader(table, who)`, committed
        together with what was made of the rows; vacuum waits for it.
        """
        opened = self._open(table)
        return read_changes(opened.path, opened.snapshot(), opened.behind_cut(after), columns, max_rows, self.query)

    def current(
        self,
        table: str,
        at: datetime | None = None,
        *,
        ids: Ids | None = None,
        dates: Days | None = None,
        indexed: bool = False,
        pinned: bool = False,
    ) -> ir.Table:
        """The rows that count, as known at a time: per id the highest revision with known_at <= at.

        To look rows up by something that changes, find candidate ids with ids_with() first and give them as `ids`; `dates`
        reads the partitions from one day to another only. `indexed` opens only files that may hold the ids: for who asks again
        and again, since the first question reads the ids of all files that no process before it has read. `pinned` finds out
        at once where the rows lie: for an expression that is run several times.
        """
        if at is not None:
            require_answerable(self._open(table), at)
        snapshot, condition, kept = self._narrowed(table, ids, dates, indexed=indexed)
        sql = current_sql(snapshot, at, condition, are_listed=kept is None)
        if pinned:
            places = self.query(places_sql(snapshot, at, condition))
            self._candidates.keep(kept, places)
            kept = self._candidates.hold(places)
            sql = rows_at_sql(snapshot, kept)
        expression = self._expression(table, sql)
        self._candidates.keep(kept, expression.op())
        return expression

    def find(self, table: str, column: str, values: Sequence[str] | pa.Table, columns: Sequence[str]) -> pa.Table:
        """Columns of the current rows with one of these values in a column of ids.

        For one question about a table of any size: where the values are few Bloom filters say which row groups to open, and
        nothing is kept in memory. Who asks again and again of the same column takes ids_with().
        """
        snapshot = self.snapshot(table)
        wanted, kept = self._candidates.condition(column, values)
        identity = quote(snapshot.table.id_column)
        ids = self.query(f"SELECT DISTINCT {identity} AS id FROM {source_sql(snapshot)} WHERE {wanted}")
        same, kept_ids = self._candidates.condition(snapshot.table.id_column, ids)
        places: list[int] = column_values(self.query(places_sql(snapshot, None, same)).column("file_index"))
        near = of_files(snapshot, [file_at(snapshot, place) for place in sorted(set(places))])
        chosen = ", ".join(map(quote, columns))
        rows = self.query(f"SELECT {chosen} FROM ({current_sql(near, None, same, are_listed=kept_ids is None)}) WHERE {wanted}")
        for name in (kept, kept_ids):
            self._candidates.keep(name, rows)
        return rows.cast(pa.schema([arrow_schema(snapshot.table).field(name) for name in columns]))

    def select(
        self,
        build: Callable[[ir.Table], ir.Table],
        table: str,
        ids: pa.Table,
        *,
        dates: Days | None = None,
        indexed: bool = False,
    ) -> pa.Table:
        """For who asks again and again of few rows: what an expression of them alone, compiled once, makes of current()."""
        snapshot, condition, kept = self._narrowed(table, ids, dates, indexed=indexed)
        return self._select(build, table, current_sql(snapshot, None, condition, are_listed=kept is None), kept)

    def select_with(
        self,
        build: Callable[[ir.Table], ir.Table],
        table: str,
        column: str,
        ids: pa.Table,
        *,
        dates: Days | None = None,
    ) -> pa.Table:
        """The same of rows_with()."""
        sql, kept = self._rows_with(table, column, ids, dates)
        return self._select(build, table, sql, kept)

    def revisions(self, table: str, at: datetime | None = None, *, dates: Days | None = None) -> ir.Table:
        """Every row as known at a time, superseded and repeated ones too."""
        if at is not None:
            require_answerable(self._open(table), at)
        return self._expression(table, revisions_sql(self.snapshot(table, dates), at))

    def rows_with(
        self, table: str, column: str, ids: Ids, *, dates: Days | None = None, besides: Collection[str] = ()
    ) -> ir.Table:
        """Every row, superseded ones too, with one of these ids in a column; only files that may hold them are opened.

        For who asks again and again: the first question reads the column of every file into memory. `besides` are files whose
        rows are at hand.
        """
        sql, kept = self._rows_with(table, column, ids, dates, besides)
        expression = self._expression(table, sql)
        self._candidates.keep(kept, expression.op())
        return expression

    def ids_with(self, table: str, column: str, ids: Ids, *, dates: Days | None = None) -> pa.Table:
        """The ids of rows_with(), each once: the candidates among which current() finds the rows that count."""
        near = self._near(table, column, ids, dates)
        return self._distinct_ids(
            near, f"SELECT {quote(near.table.id_column)}, {quote(column)} AS key FROM {source_sql(near)}", ids
        )

    def ids_with_key(self, table: str, column: str, keys: Sequence[str] | pa.Table) -> pa.Table:
        """The ids of the rows, superseded ones too, whose map in a column has one of these keys; ids_with() for maps."""
        near = self._near(table, column, keys, None)
        unfolded = f"SELECT {quote(near.table.id_column)}, unnest(map_keys({quote(column)})) AS key FROM {source_sql(near)}"
        return self._distinct_ids(near, unfolded, keys)

    def _distinct_ids(self, near: Snapshot, keyed: str, keys: Sequence[str] | pa.Table) -> pa.Table:
        condition, kept = self._candidates.condition("key", keys)
        found = self.query(f"SELECT DISTINCT {quote(near.table.id_column)} FROM ({keyed}) WHERE {condition}")
        self._candidates.keep(kept, found)
        return found

    def _narrowed(
        self, table: str, ids: Ids | None, dates: Days | None, *, indexed: bool
    ) -> tuple[Snapshot, str | None, str | None]:
        """The files to read current rows from, the condition on their ids, and the name to keep() that by."""
        snapshot = self.snapshot(table, dates)
        if ids is None:
            return snapshot, None, None
        if indexed:
            snapshot = self._near(table, snapshot.table.id_column, ids, dates)
        return snapshot, *self._candidates.condition(snapshot.table.id_column, ids)

    def _rows_with(
        self, table: str, column: str, ids: Ids, dates: Days | None, besides: Collection[str] = ()
    ) -> tuple[str, str | None]:
        near = self._near(table, column, ids, dates, besides)
        condition, kept = self._candidates.condition(column, ids)
        return f"SELECT * FROM ({revisions_sql(near)}) WHERE {condition}", kept

    def _select(self, build: Callable[[ir.Table], ir.Table], table: str, sql: str, kept: str | None) -> pa.Table:
        schema = ibis.Schema.from_pyarrow(arrow_schema(find_table(table)))
        selected = self.compile_once((table, build), lambda: build(self._named(_GIVEN, schema)))
        rows = self.query(f"WITH {_GIVEN} AS ({sql}) SELECT * FROM ({selected.sql})").cast(selected.schema)
        self._candidates.keep(kept, rows)
        return rows

    def _near(self, table: str, column: str, ids: Ids, dates: Days | None, besides: Collection[str] = ()) -> Snapshot:
        """The files that may hold one of these ids in a column, or as a key where it is a map."""
        whole = self.snapshot(table)
        snapshot = of_files(whole, [file for file in of_days(whole, dates).files if file not in besides])
        if (table, column) not in self._indexes:
            of_maps = pa.types.is_map(arrow_schema(snapshot.table).field(column).type)
            kept_at = saved_numbers.place_of(self.root, table, column)
            self._indexes[table, column] = FileIndex(column, self.query, snapshot.empty_file, kept_at, of_maps=of_maps)
        wanted = ids if isinstance(ids, pa.Table) else pa.table({"id": pa.array(ids, pa.string())})
        self._backend.con.register("wanted_ids", wanted.rename_columns(["id"]))
        files = self._indexes[table, column].files_with(snapshot.files, "wanted_ids", len(whole.files))
        self._backend.con.unregister("wanted_ids")
        return of_files(snapshot, files)

    def to_records(self, table: str, expression: ir.Table) -> list[Any]:
        """Run an expression and give its rows as records of the table."""
        opened = self._open(table)
        with storage_failures(f"read {table}", opened.path):
            return from_arrow(opened.table.record, expression.to_pyarrow())

    def query(self, sql: str) -> pa.Table:
        """Run our own SQL on the lake's connection."""
        rows: pa.Table = self._backend.con.sql(sql).to_arrow_table()
        return rows

    def show(self, name: str, rows: pa.Table | ir.Table) -> ir.Table:
        """Rows under a name on the lake's connection, until hide(): expressions over them then compile to the same SQL.

        An expression is run at every use. Whoever gives one keeps it meanwhile: with it go the ids that it looks for.
        """
        if isinstance(rows, pa.Table):
            self._backend.con.register(name, rows)
            return self._named(name, ibis.Schema.from_pyarrow(rows.schema))
        self._backend.con.execute(f"CREATE OR REPLACE TEMP VIEW {quote(name)} AS {self.compile(rows)}")
        return self._named(name, rows.schema())

    def keep(self, name: str, rows: ir.Table) -> ir.Table:
        """The same for an expression that is run once; its rows are held by the connection, which may put them on the disk."""
        self._keep(name, self.compile(rows))
        return self._named(name, rows.schema())

    @contextmanager
    def kept(self, name: str, sql: str) -> Iterator[None]:
        """What our own SQL gives, under a name that other queries on the lake's connection can use meanwhile."""
        self._keep(name, sql)
        try:
            yield
        finally:
            self.hide(name)

    def hide(self, name: str) -> None:
        """Forget a name that show() or keep() gave."""
        connection = self._backend.con
        connection.unregister(name)
        kinds = connection.execute(
            "SELECT 'VIEW' FROM duckdb_views() WHERE view_name = $name AND temporary UNION ALL "
            "SELECT 'TABLE' FROM duckdb_tables() WHERE table_name = $name AND temporary",
            {"name": name},
        )
        for (kind,) in kinds.fetchall():
            connection.execute(f"DROP {kind} {quote(name)}")

    def _keep(self, name: str, sql: str) -> None:
        self._backend.con.execute(f"CREATE OR REPLACE TEMP TABLE {quote(name)} AS {sql}")

    def _named(self, name: str, schema: ibis.Schema) -> ir.Table:
        return DatabaseTable(name=name, schema=schema, source=self._backend, namespace=Namespace()).to_expr()

    def compile(self, expression: ir.Table) -> str:
        """An expression over this lake as SQL for query()."""
        return str(self._backend.compile(expression))

    def compile_once(self, key: Hashable, build: Callable[[], ir.Table]) -> Compiled:
        """The same, worked out once in the life of the process for each key: for a few rows that takes longer than all the rest.

        What it reads has to have the same names each time, as show() and keep() give them.
        """
        return compiled_once(key, build, self.compile)

    def sql_connection(self, extra: Mapping[str, pa.Table] | None = None) -> LockedConnection:
        """For SQL that a person types: a view per table with its current rows, the extra tables, and no other file."""
        return LockedConnection(self.root, [self._open(name).snapshot() for name in TABLES], extra or {})

    def maintain(self, now: datetime, retention: RetentionSettings = NO_END) -> list[Maintained]:
        """Compact, fold, drop what is past its time, checkpoint, vacuum and clean up every table; beside appends alone."""
        with self._gate.shared():
            slowest = slowest_readers(self.root, TABLES.values())
            return [self._maintain(name, slowest.get(name), now, retention) for name in TABLES]

    def days_due(self, table: str, age: timedelta, last: int, now: datetime) -> list[date]:
        """The days of which a file has reached this age after `last`, in seconds since 1970, ascending."""
        return partitions_due(self._open(table).latest(), age, last, now)

    def replace(self, snapshot: Snapshot, places: str, replace: Replace) -> int:
        """Have other rows stand in the places of some, as no news to a reader, beside appends alone; how many were replaced."""
        with self._gate.shared():
            return replace_rows(self.root, snapshot, places, replace, self._backend.con)

    def erase(self, table: str, condition: str, given: Mapping[str, pa.Table] | None = None) -> int:
        """Erase the rows for which a SQL condition holds, which may look into the given tables; how many went.

        They are gone from what is read at once, and from the disk after purge(). Only when alone().
        """
        self._require_alone()
        connection = self._backend.con
        for name, rows in (given or {}).items():
            connection.register(name, rows)
        try:
            return erase_rows(self._open(table), condition, connection)
        finally:
            for name in given or {}:
                connection.unregister(name)

    def purge(self) -> int:
        """Delete every file and log entry that does not count any more; how many files went. Only when alone().

        Every reader must have read all that concerns it: its watermark is moved to the end.
        """
        self._require_alone()
        for name in TABLES:
            self._catch_up(name)
        slowest = slowest_readers(self.root, TABLES.values())
        gone = 0
        for name in TABLES:
            self._require_alone()  # a full vacuum beside a writer takes what it has not committed yet
            gone += purge_table(self._open(name), slowest.get(name))
        saved_numbers.forget_all(self.root)
        return gone + clear_quarantine(self.root)

    def repair(self, table: str) -> Repaired:
        """Mend the log and take back recent commits with files that cannot be read; for the start after a power cut."""
        self._tables.pop(table, None)  # what it held may speak of what was torn
        return repair_table(self.root, find_table(table).name)

    def find_commit(self, table: str, app: str, number: int) -> int | None:
        """The commit by which a writer reached this number, as far back as the log goes."""
        opened = self._open(table)
        reached = opened.transaction_version(app)
        if reached is None or reached < number:
            return None
        with storage_failures(f"look for a commit to {table}", opened.path):
            return find_commit(opened.path, app, number)

    def is_intact(self, table: str, version: int) -> bool:
        """Whether every file of a commit is there, has its size and can be read."""
        return is_intact(self._open(table).path, version)

    def make_durable(self, table: str, version: int) -> None:
        """fsync a commit once more: for one whose append() failed after it was committed."""
        path = self._open(table).path
        make_durable(path, [read_entry(path, version)])

    def quarantine_commit(self, table: str, version: int) -> list[Place]:
        """Take a commit back: its unreadable files go aside, its transactions go back, so its rows can be appended again."""
        return revert_commit(self.root, find_table(table).name, version)

    def _open(self, table: str) -> OpenTable:
        if table not in self._tables:
            self._tables[table] = OpenTable(self.root, find_table(table))
        return self._tables[table]

    def _maintain(self, name: str, slowest: int | None, now: datetime, retention: RetentionSettings) -> Maintained:
        opened, connection = self._open(name), self._backend.con
        folded = expired = 0
        if (history := self.settings.history_days) > 0:
            folded = fold_table(opened, history, now, connection)
        if (days := kept_days(retention).get(name)) is not None:
            expired = expire_table(opened, days, now, lambda other: source_sql(self._open(other).snapshot()), connection)
        done = maintain_table(self.root, TABLES[name], self.settings, slowest)
        return msgspec.structs.replace(done, folded=folded, expired=expired)

    def _catch_up(self, name: str) -> None:
        """Move the watermarks that readers keep on a table to the end of what they read; an own commit is no news to a reader."""
        with storage_failures(f"find the readers that {name} names", self.root / name):
            reached = all_transactions(self.root / name)
        behind = {app: self.version(source) for app in reached if (source := source_of(app)) is not None}
        behind = {app: version for app, version in behind.items() if version > reached[app]}
        if behind:
            self.append(name, [], transactions=behind)

    def _require_alone(self) -> None:
        if not self._gate.is_alone:
            raise RuntimeError("erasing beside other writers loses their rows; do it within alone()")

    def snapshot(self, table: str, dates: Days | None = None) -> Snapshot:
        """The files of the latest version, of some days or of all: for the reader of another engine."""
        return of_days(self._open(table).snapshot(), dates)

    def _expression(self, table: str, sql: str) -> ir.Table:
        schema = ibis.Schema.from_pyarrow(arrow_schema(find_table(table)))
        return self._backend.sql(sql, schema=schema)
