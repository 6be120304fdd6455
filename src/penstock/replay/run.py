"""A replay: files in, requests out, in batches with bounded concurrency, and a report of what became of every row.

A file's progress moves only past batches that are done in order, so a replay killed at any moment loses no row.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import aiohttp
import msgspec
from msgspec import Struct

from penstock.errors import BadInputError
from penstock.records.ids import digest
from penstock.replay.compressed import plain_name
from penstock.replay.location import Location, S3Object, list_objects, locate
from penstock.replay.log_rows import LogRow, is_log, read_rows
from penstock.replay.otlp_bodies import is_body, read_body
from penstock.replay.progress import Progress, ProgressFile, Rejected, progress_key
from penstock.replay.row_batches import Batch, Done, read_batches, send_batch
from penstock.replay.row_reader import RowReader
from penstock.replay.sender import EdgeSender, Patience
from penstock.replay.watermark import Table, decode_mark, fresh_rows, keep_marks

CONCURRENCY = 4


class ReplayStep(Struct, frozen=True, kw_only=True):
    """Where a replay stands, for a progress bar."""

    file: str
    file_number: int
    files: int
    fraction: float  # of this file
    sent: int
    skipped: int
    feedback: int
    rejected: int
    waiting: str | None = None  # why it waits for the edge


class ReplayReport(Struct, frozen=True, kw_only=True):
    """What became of every row; a body counts as one row."""

    files: int
    sent: int  # acknowledged by the edge in this run
    skipped: int  # acknowledged in an earlier run
    feedback: int
    feedback_skipped: int  # acknowledged in an earlier run
    rejected: tuple[Rejected, ...]  # of this run; earlier ones are in the rejects files
    rejects_files: tuple[str, ...]
    unused_columns: tuple[str, ...] = ()  # bound by the mapping, but in no row
    passed_over: dict[str, int] = {}  # why -> how many rows of which there was nothing to send


OnProgress = Callable[[ReplayStep], None]


def replay_files(
    paths: Sequence[str | Path],
    *,
    edge_url: str,
    api_key: str | None,
    reader: RowReader | None,
    home: Path,
    on_progress: OnProgress | None = None,
    restart: bool = False,
    patience: Patience | None = None,
) -> ReplayReport:
    """Send every file to the edge; folders are searched. Raises PenstockError where going on makes no sense."""
    files = find_files(paths, reader)
    replay = _Replay(edge_url, reader, home / "replay", on_progress or (lambda _step: None), restart)
    return asyncio.run(replay.run(files, api_key, patience or Patience()))


def replay_table(
    table: Table,
    *,
    edge_url: str,
    api_key: str | None,
    reader: RowReader,
    home: Path,
    on_progress: OnProgress | None = None,
    restart: bool = False,
    patience: Patience | None = None,
) -> ReplayReport:
    """Send the rows of a table to the edge, from its watermark on; without one, all of them. Raises PenstockError."""
    replay = _Replay(edge_url, reader, home / "replay", on_progress or (lambda _step: None), restart)
    return asyncio.run(replay.run([table], api_key, patience or Patience()))


def find_files(paths: Sequence[str | Path], reader: RowReader | None) -> list[Location]:
    """The files to replay, in order; a folder gives what a mapping, or its absence, calls for."""
    wanted = is_body if reader is None else is_log
    what = "OTLP body" if reader is None else "CSV, JSONL, JSON or Parquet file"
    found: list[Location] = []
    inside: list[Location]
    for path in map(locate, paths):
        if isinstance(path, S3Object):
            inside = [item for item in list_objects(path) if wanted(item)]
        elif path.is_dir():
            inside = [file for file in sorted(path.rglob("*")) if file.is_file() and wanted(file)]
        elif not path.exists():
            raise BadInputError(f"There is no file {path}.")
        elif reader is None and not is_body(path):
            raise BadInputError(f"{path} is no OTLP body by its name (.pb, .json); a log of rows needs --mapping.")
        else:
            inside = [path]
        if not inside:
            raise BadInputError(f"The folder {path} holds no {what}.")
        found.extend(inside)
    return list(dict.fromkeys(found))


class _Replay:
    """The state of one run over all files."""

    def __init__(self, edge_url: str, reader: RowReader | None, folder: Path, on_progress: OnProgress, restart: bool) -> None:
        self._edge_url = edge_url
        self._reader = reader
        self._folder = folder
        self._on_progress = on_progress
        self._restart = restart
        self._rejected: list[Rejected] = []
        self._rejects_files: list[str] = []
        self._passed_over: Counter[str] = Counter()
        self._sent = self._skipped = self._feedback = self._feedback_skipped = 0
        self._unseen = set(reader.columns) if reader else set()
        self._rows_read = 0
        self._step = ReplayStep(file="", file_number=0, files=0, fraction=0.0, sent=0, skipped=0, feedback=0, rejected=0)

    async def run(self, files: Sequence[Location | Table], api_key: str | None, patience: Patience) -> ReplayReport:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        connector = aiohttp.TCPConnector(limit=2 * CONCURRENCY)
        async with aiohttp.ClientSession(headers=headers, connector=connector) as http:
            sender = EdgeSender(http, self._edge_url, patience, self._wait)
            for file_number, path in enumerate(files, start=1):
                self._step = msgspec.structs.replace(self._step, file=path.name, file_number=file_number, files=len(files))
                if isinstance(path, Path | S3Object):
                    await self._replay_file(path, sender)
                else:
                    await self._replay_table(path, sender)
        return ReplayReport(
            files=len(files),
            sent=self._sent,
            skipped=self._skipped,
            feedback=self._feedback,
            feedback_skipped=self._feedback_skipped,
            rejected=tuple(self._rejected),
            rejects_files=tuple(self._rejects_files),
            unused_columns=tuple(sorted(self._unseen)) if self._rows_read else (),
            passed_over=dict(self._passed_over),
        )

    async def _replay_file(self, path: Location, sender: EdgeSender) -> None:
        """Send what is not yet acknowledged of a file; one that breaks off is rejected from there on, and the next one begins."""
        try:
            progress_file = self._open_progress(path)
            progress = progress_file.load(restart=self._restart)
        except BadInputError as error:
            self._rejected.append(Rejected(file=str(path), row=None, reason=str(error)))
            return
        tracker = self._resume(progress_file, progress)
        try:
            if self._reader is None:
                await self._send_body(path, sender, tracker)
            else:
                await self._send_rows(path, self._reader, sender, tracker)
        except BadInputError as error:
            tracker.reject_file(Rejected(file=str(path), row=None, reason=str(error)))
        finally:
            self._take(tracker, progress)

    async def _replay_table(self, table: Table, sender: EdgeSender) -> None:
        """Send what lies above the watermark; what goes wrong with the table ends the replay, behind what is done."""
        assert self._reader is not None  # noqa: S101  replay_table wants one
        key = digest("table", table.identity, self._reader.identity, self._edge_url)
        file = ProgressFile(self._folder, key, table.name)
        # Without a watermark every replay reads the whole table; what is there already counts once all the same.
        progress = file.load(restart=self._restart or table.watermark is None)
        tracker = self._resume(file, progress)
        try:
            with closing(table.read(decode_mark(progress.watermark), self._reader.columns)) as values:
                rows = self._watch(fresh_rows(values, table.watermark, file.load_seen(), progress.rows))
                await self._send_batches(read_batches(rows, table.name, "", self._reader), table.name, sender, tracker)
            if unmarked := table.count_unmarked():
                self._passed_over[f"rows without a value in `{table.watermark}`"] += unmarked
        finally:
            self._take(tracker, progress)

    def _resume(self, file: ProgressFile, progress: Progress) -> "_Tracker":
        self._skipped += progress.sent
        self._feedback_skipped += progress.feedback
        return _Tracker(file, progress)

    def _open_progress(self, path: Location) -> ProgressFile:
        mapping = self._reader.identity if self._reader else "otlp"
        key = progress_key(path, f"{plain_name(path)}\n{mapping}", self._edge_url)
        return ProgressFile(self._folder, key, str(path))

    async def _send_body(self, path: Location, sender: EdgeSender, tracker: "_Tracker") -> None:
        if tracker.progress.rows:
            return
        body = read_body(path)
        answer = await sender.send_telemetry(body.signal, body.content, body.content_type)
        refused = not answer.accepted or answer.rejected_items > 0
        rejected = [Rejected(file=str(path), row=1, reason=answer.reason or "the edge rejected it")] if refused else []
        tracker.add(Done(last_row=1, sent=int(answer.accepted), feedback=0, rejected=rejected))
        self._report(1.0, tracker)

    async def _send_rows(self, path: Location, reader: RowReader, sender: EdgeSender, tracker: "_Tracker") -> None:
        rows = read_rows(path, reader.source, reader.columns, tracker.progress.rows)
        await self._send_batches(read_batches(self._watch(rows), str(path), plain_name(path), reader), str(path), sender, tracker)

    async def _send_batches(self, batches: Iterable[Batch], file: str, sender: EdgeSender, tracker: "_Tracker") -> None:
        """Keep CONCURRENCY batches on their way, and take their results in order."""
        waiting: deque[asyncio.Task[Done]] = deque()
        try:
            for batch in batches:
                waiting.append(asyncio.create_task(send_batch(batch, file, sender)))
                if len(waiting) >= CONCURRENCY:
                    tracker.add(await waiting.popleft())
                    self._report(batch.fraction, tracker)
            await self._drain(waiting, tracker)
        except BadInputError:
            await self._drain(waiting, tracker)  # the rows before the damage are good
            raise
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        self._report(1.0, tracker)

    async def _drain(self, waiting: "deque[asyncio.Task[Done]]", tracker: "_Tracker") -> None:
        while waiting:
            tracker.add(await waiting.popleft())

    def _watch(self, rows: Iterable[LogRow]) -> Iterator[LogRow]:
        """Note which bound columns were seen, so that a misspelt one in a format without a header is told."""
        for row in rows:
            self._rows_read += 1
            if self._unseen:
                self._unseen.difference_update(row.values)
            yield row

    def _take(self, tracker: "_Tracker", before: Progress) -> None:
        self._sent += tracker.progress.sent - before.sent
        self._feedback += tracker.progress.feedback - before.feedback
        self._rejected.extend(tracker.rejected)
        self._passed_over.update(tracker.passed_over)
        if tracker.progress.rejected or tracker.rejected:
            self._rejects_files.append(str(tracker.file.rejects_path))

    def _report(self, fraction: float, tracker: "_Tracker") -> None:
        self._step = msgspec.structs.replace(
            self._step,
            fraction=fraction,
            sent=self._sent + tracker.sent,
            skipped=self._skipped,
            feedback=self._feedback + tracker.feedback,
            rejected=len(self._rejected) + len(tracker.rejected),
            waiting=None,
        )
        self._on_progress(self._step)

    def _wait(self, why: str) -> None:
        self._on_progress(msgspec.structs.replace(self._step, waiting=why))


class _Tracker:
    """The progress of one file in this run; every addition is on disk before it counts."""

    def __init__(self, file: ProgressFile, progress: Progress) -> None:
        self.file = file
        self.progress = progress
        self.rejected: list[Rejected] = []
        self.passed_over: Counter[str] = Counter()
        self.sent = self.feedback = 0

    def add(self, done: Done) -> None:
        """Count a batch that follows the last one."""
        self.progress = msgspec.structs.replace(
            self.progress,
            watermark=keep_marks(self.file, self.progress.watermark, done.marks),
            rows=done.last_row,
            sent=self.progress.sent + done.sent,
            feedback=self.progress.feedback + done.feedback,
            rejected=self.progress.rejected + len(done.rejected),
        )
        self.sent += done.sent
        self.feedback += done.feedback
        self.rejected.extend(done.rejected)
        self.passed_over.update(done.passed_over)
        self.file.save(self.progress, done.rejected)

    def reject_file(self, rejected: Rejected) -> None:
        """Note that the file cannot be read further; it is tried again next time."""
        self.rejected.append(rejected)
        self.file.save(self.progress, [rejected])
