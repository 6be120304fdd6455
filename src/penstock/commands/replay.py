"""`penstock replay`: what was logged elsewhere, sent through the edge as a client would."""

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from penstock.commands import options
from penstock.commands.printing import print_fields, to_plain
from penstock.edge.run_file import read_run_file
from penstock.errors import ConfigurationError
from penstock.records.interaction import Exposure
from penstock.replay.export_calls import Adjustments
from penstock.replay.log_rows import read_rows
from penstock.replay.mapping import SourceMapping
from penstock.replay.openai_log import read_questions
from penstock.replay.parquet_table import ParquetTable
from penstock.replay.progress_bar import progress_bar
from penstock.replay.ready import load_reader
from penstock.replay.row_reader import RowReader
from penstock.replay.run import ReplayReport, find_files, replay_files, replay_table
from penstock.replay.sql_table import SqlTable
from penstock.replay.watermark import Table
from penstock.settings import Settings

_MOST_SHOWN = 10
_OWN_VARIABLES = ("PENSTOCK_API_KEY", "PENSTOCK_DATABASE")

Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE...]",
        help="OTLP bodies; with --mapping JSONL, JSON, CSV or Parquet logs; or folders; or s3://BUCKET/PREFIX.",
    ),
]
MappingName = Annotated[
    str | None,
    typer.Option(
        "--mapping",
        "-m",
        help="langfuse, langsmith, mlflow, phoenix, datadog or openai; or TOML that says which column is what (docs/replay.md).",
    ),
]
Sql = Annotated[str | None, typer.Option("--sql", help="Replay the rows of this query; with --database.")]
Database = Annotated[
    str | None, typer.Option("--database", help="SQLAlchemy URL of the database that --sql asks; default: PENSTOCK_DATABASE.")
]
Watermark = Annotated[
    str | None,
    typer.Option(
        "--watermark", help="Column that grows; a query or Parquet files are then read from where the last replay ended."
    ),
]
Application = Annotated[
    str | None, typer.Option("--application", help="The application, where a ready mapping does not know it.")
]
ExposureName = Annotated[
    str | None, typer.Option("--exposure", help="Whose traffic a ready mapping reads; default: served, the users'.")
]
Renamed = Annotated[
    list[str] | None,
    typer.Option("--name", metavar="SCORE=NAME", help="Call a tool's score so, e.g. user-thumb=rating; may be repeated."),
]
Edge = Annotated[str | None, typer.Option("--edge", help="URL of the edge; default: the one that runs on this home.")]
Restart = Annotated[
    bool, typer.Option("--restart", help="Send everything again; what is there already counts once all the same.")
]


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `replay`."""
    cli.command(name, help=summary)(replay)


def replay(
    files: Files = None,
    mapping: MappingName = None,
    sql: Sql = None,
    database: Database = None,
    watermark: Watermark = None,
    application: Application = None,
    exposure: ExposureName = None,
    name: Renamed = None,
    edge: Edge = None,
    restart: Restart = False,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Send files, or the rows of a query, through a running edge; stopped at any moment, it goes on where it was.

    A key for the edge is read from PENSTOCK_API_KEY.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _OWN_VARIABLES}
    settings = options.load(home, environment=environment).settings
    adjustments = _adjustments(application, exposure, name or [])
    reader = load_reader(mapping, adjustments, lambda: _questions(files or [])) if mapping is not None else None
    table = _table(files or [], sql, database or os.environ.get("PENSTOCK_DATABASE"), watermark, reader)
    with progress_bar() as on_progress:
        shared: dict[str, Any] = {
            "edge_url": edge or _running_edge(settings),
            "api_key": os.environ.get("PENSTOCK_API_KEY"),
            "reader": reader,
            "home": settings.home_path,
            "on_progress": on_progress,
            "restart": restart,
        }
        report = replay_table(table, **shared) if table is not None else replay_files(files or [], **shared)
    _print(report, as_json=json)


def _table(
    files: list[str], sql: str | None, database: str | None, watermark: str | None, reader: RowReader | None
) -> Table | None:
    """What is read by a watermark or a query; None for plain files. Raises ConfigurationError."""
    if sql is None:
        if not files:
            raise ConfigurationError("Nothing to replay: name files, or a query with --sql and --database.")
        if watermark is None:
            return None
    elif files:
        raise ConfigurationError(f"--sql and files ({files[0]}) are two replays; run them one after the other.")
    if reader is None:
        raise ConfigurationError("Rows need --mapping: a ready one, or a file that says which column is what.")
    if sql is None:
        return ParquetTable(find_files(files, reader), files, watermark or "")
    if not database:
        raise ConfigurationError("--sql needs --database, such as postgresql+psycopg://user@host/name, or PENSTOCK_DATABASE.")
    return SqlTable(sql, database, watermark)


def _adjustments(application: str | None, exposure: str | None, names: list[str]) -> Adjustments:
    if exposure is not None and exposure not in list(Exposure):
        raise ConfigurationError(f"--exposure {exposure!r} is none of {', '.join(Exposure)}.")
    renamed: dict[str, str] = {}
    for text in names:
        score, separator, ours = text.partition("=")
        if not separator or not score or not ours:
            raise ConfigurationError(f"--name {text!r} names no score; write --name user-thumb=rating.")
        renamed[score] = ours
    return Adjustments(application=application, exposure=exposure, names=renamed)


def _questions(files: list[str]) -> dict[str, bytes | None]:
    """The requests of OpenAI batches among the files."""

    def rows() -> Iterator[Mapping[str, Any]]:
        for path in find_files(files, load_reader("openai", Adjustments(), dict)):
            for row in read_rows(path, SourceMapping(name="openai"), frozenset()):
                if row.problem is None and not ("custom_id" in row.values and "body" in row.values):
                    break  # a log, or the answers
                yield row.values

    return read_questions(rows())


def _running_edge(settings: Settings) -> str:
    running = read_run_file(settings.home_path)
    return running.url if running is not None else f"http://{settings.edge.host}:{settings.edge.port}"


def _print(report: ReplayReport, *, as_json: bool) -> None:
    if as_json:
        print_fields(to_plain(report), as_json=True)
        return
    interactions = f"{report.sent} sent, {report.skipped} sent before"
    reports = f"{report.feedback} reports, {report.feedback_skipped} reported before"
    print(f"{report.files} files: {interactions}, {reports}, {len(report.rejected)} rejected")
    for reason, rows in report.passed_over.items():
        print(f"  {rows} passed over: {reason}")
    for rejected in report.rejected[:_MOST_SHOWN]:
        place = rejected.file if rejected.row is None else f"{rejected.file} row {rejected.row}"
        print(f"  {place}: {rejected.reason}", file=sys.stderr)
    for column in report.unused_columns:
        print(f"  no row has the column {column!r} that the mapping names", file=sys.stderr)
    for rejects in report.rejects_files:
        print(f"  rejected rows: {rejects}", file=sys.stderr)
