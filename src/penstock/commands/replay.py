"""`penstock replay`: what was logged elsewhere, sent through the edge as a client would."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from penstock.commands import options
from penstock.commands.printing import print_fields, to_plain
from penstock.config import Settings
from penstock.edge.run_file import read_run_file
from penstock.replay.mapping import load_mapping
from penstock.replay.progress_bar import progress_bar
from penstock.replay.run import ReplayReport, replay_files

_MOST_SHOWN = 10

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="OTLP bodies; with --mapping JSONL, CSV or Parquet logs; or folders.")
]
MappingFile = Annotated[
    Path | None, typer.Option("--mapping", "-m", help="TOML that says which column is what (docs/replay.md).")
]
Edge = Annotated[str | None, typer.Option("--edge", help="URL of the edge; default: the one that runs on this home.")]
Restart = Annotated[
    bool, typer.Option("--restart", help="Send everything again; what is there already counts once all the same.")
]


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `replay`."""
    cli.command(name, help=summary)(replay)


def replay(
    files: Files,
    mapping: MappingFile = None,
    edge: Edge = None,
    restart: Restart = False,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Send files through a running edge; stopped at any moment, it goes on where it was.

    A key for the edge is read from PENSTOCK_API_KEY.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PENSTOCK_API_KEY"}
    settings = options.load(home, environment=environment).settings
    rows = load_mapping(mapping) if mapping is not None else None
    with progress_bar() as on_progress:
        report = replay_files(
            files,
            edge_url=edge or _running_edge(settings),
            api_key=os.environ.get("PENSTOCK_API_KEY"),
            mapping=rows,
            home=settings.home_path,
            on_progress=on_progress,
            restart=restart,
        )
    _print(report, as_json=json)


def _running_edge(settings: Settings) -> str:
    running = read_run_file(settings.home_path)
    return running.url if running is not None else f"http://{settings.edge.host}:{settings.edge.port}"


def _print(report: ReplayReport, *, as_json: bool) -> None:
    if as_json:
        print_fields(to_plain(report), as_json=True)
        return
    counts = f"{report.sent} sent, {report.skipped} sent before, {report.feedback} reports, {len(report.rejected)} rejected"
    print(f"{report.files} files: {counts}")
    for rejected in report.rejected[:_MOST_SHOWN]:
        print(f"  {rejected.file} row {rejected.row}: {rejected.reason}", file=sys.stderr)
    for column in report.unused_columns:
        print(f"  no row has the column {column!r} that the mapping names", file=sys.stderr)
    for rejects in report.rejects_files:
        print(f"  rejected rows: {rejects}", file=sys.stderr)
