"""One pull: the rows of a table from its watermark on become reports in the lake, redacted, each exactly once.

The commit to the lake carries its number as a transaction, and the state on disk says beforehand what that number means; see
docs/decisions/0017-pulls-write-to-the-lake.md.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from itertools import islice

import msgspec
from msgspec import Struct

from penstock.errors import ConflictError, PenstockError
from penstock.ingest.attribute_length import cut_before_redaction
from penstock.ingest.redact import Redaction
from penstock.ingest.tombstones import ErasureList, drop_erased
from penstock.lake.lake import Lake
from penstock.outcome_settings import PullSettings
from penstock.outcomes.pull_mapping import PullMapping, map_row, read_pull_mapping
from penstock.outcomes.pull_state import PullState, StateFile
from penstock.outcomes.pull_tables import open_table, require_sound_source
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback
from penstock.records.ids import digest
from penstock.replay.binding import Row, RowError
from penstock.replay.log_rows import LogRow
from penstock.replay.watermark import Table, TableRow, decode_mark, fresh_rows

BATCH_ROWS = 5000


class Source(Struct, frozen=True, kw_only=True):
    """One [pulls.NAME]."""

    name: str
    settings: PullSettings
    mapping: PullMapping

    def identity_of(self, table: Table) -> str:
        """Changes where another table is read, or other things are read in it."""
        said = msgspec.json.encode((self.settings.id, self.settings.feedback), order="sorted", enc_hook=str).decode()
        return digest("pull", table.identity, said)


class Pulled(Struct, frozen=True, kw_only=True):
    """What came in one pull."""

    name: str
    rows: int
    reports: int
    unreadable: dict[str, int]  # reason -> how many reports
    unmarked: int  # rows without a watermark, which are never read
    watermark: str | None


def load_sources(pulls: Mapping[str, PullSettings]) -> dict[str, Source]:
    """Every source that is set; raises ConfigurationError for one that cannot work."""
    for name, settings in pulls.items():
        require_sound_source(name, settings)
    return {
        name: Source(name=name, settings=settings, mapping=read_pull_mapping(name, settings)) for name, settings in pulls.items()
    }


class Puller:
    """Pulls sources into one lake; used by one thread."""

    def __init__(
        self,
        lake: Lake,
        redaction: Redaction,
        clock: WriterClock,
        environment: Mapping[str, str],
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        self._lake = lake
        self._erased = ErasureList(lake.root)
        self._redaction = redaction
        self._clock = clock
        self._environment = environment
        self._batch_rows = batch_rows

    def pull(self, source: Source, file: StateFile, is_stopping: Callable[[], bool] = lambda: False) -> Pulled:
        """Read what is new; stopped or failed, what was committed by then stays. A failure is kept in the state and raised."""
        with file.alone():
            try:
                return self._pull(source, file, is_stopping)
            except Exception as error:
                state = self._settled(source.name, file.load())
                reason = str(error) if isinstance(error, PenstockError) else f"{type(error).__name__}; see the log"
                file.save(_ended(state, self._clock.known_at(), reason))
                raise

    def _pull(self, source: Source, file: StateFile, is_stopping: Callable[[], bool]) -> Pulled:
        state = self._settled(source.name, file.load())
        table = open_table(source.name, source.settings, self._environment)
        identity = source.identity_of(table)
        if state.identity != identity:
            state = PullState(identity=identity, number=state.number, seen_number=state.seen_number)
        before = state
        with closing(table.read(decode_mark(state.watermark), source.mapping.columns)) as values:
            ordered = _Ordered(values, source.settings.watermark)
            rows = fresh_rows(ordered, table.watermark, file.load_seen(state), state.rows)
            while (batch := list(islice(rows, self._batch_rows))) and not is_stopping():
                state = self._take(source, file, state, batch)
        state = msgspec.structs.replace(state, unmarked=table.count_unmarked() + ordered.left_out)
        file.save(_ended(state, self._clock.known_at(), None))
        file.forget_seen(state.seen_number)
        return Pulled(
            name=source.name,
            rows=state.rows - before.rows,
            reports=state.reports - before.reports,
            unreadable=dict(Counter(state.unreadable) - Counter(before.unreadable)),
            unmarked=state.unmarked,
            watermark=show_mark(state.watermark),
        )

    def _settled(self, name: str, state: PullState) -> PullState:
        """The state after the commit that was under way when a process ended, or before it where it was not made."""
        reached = self._reached(name)
        if state.pending is not None:
            was_made = reached >= state.pending.number and self._is_kept(name, state.pending.number)
            state = state.pending if was_made else msgspec.structs.replace(state, pending=None)
        # A state that was lost, or is another machine's, must not use numbers that the lake has seen.
        return msgspec.structs.replace(state, number=max(state.number, self._reached(name)))

    def _reached(self, name: str) -> int:
        return self._lake.transaction_version("feedback", transaction(name)) or 0

    def _is_kept(self, name: str, number: int) -> bool:
        """Whether a commit is whole; its process may have died before it was durable, and one that is torn is taken back."""
        version = self._lake.find_commit("feedback", transaction(name), number)
        if version is None:
            return True  # so old that the log does not reach back to it
        if not self._lake.is_intact("feedback", version):
            self._lake.quarantine_commit("feedback", version)
            return False
        self._lake.make_durable("feedback", version)
        return True

    def _take(self, source: Source, file: StateFile, state: PullState, batch: Sequence[LogRow]) -> PullState:
        now = self._clock.known_at()
        made = list(_map_rows(source.mapping, batch, now))
        reports = list({report.feedback_id: report for report in made if isinstance(report, Feedback)}.values())
        reasons = Counter(str(error) for error in made if isinstance(error, RowError))
        after = msgspec.structs.replace(
            _passed(file, state, batch),
            rows=state.rows + len(batch),
            reports=state.reports + len(reports),
            unreadable=dict(Counter(state.unreadable) + reasons),
        )
        if reports:
            after = msgspec.structs.replace(after, number=state.number + 1)
            file.save(msgspec.structs.replace(state, pending=after))
            if not self._write(source.name, reports, after.number):
                file.save(state)  # the number was another's, so these rows are still to come
                raise ConflictError(f"Another process pulls {source.name} into this lake; let one home do it.")
        file.save(after)
        return after

    def _write(self, name: str, reports: Sequence[Feedback], number: int) -> bool:
        """Redact and append; what an erasure has forgotten is dropped within the same hold on the lake."""
        cut = [msgspec.structs.replace(report, metadata=cut_before_redaction(report.metadata)) for report in reports]
        rows = self._lake.to_rows("feedback", self._redaction.redact_feedback(cut))
        with self._lake.writing():
            kept = drop_erased("feedback", rows, self._erased.read())
            return self._lake.append("feedback", kept, transactions={transaction(name): number}) is not None


def transaction(name: str) -> str:
    """The name under which the commits of a source are numbered in the lake."""
    return f"pull:{name}"


def show_mark(text: str | None) -> str | None:
    """A watermark for people."""
    return None if text is None else str(decode_mark(text))


class _Ordered:
    """The rows of a table without those whose watermark is no number: it has no place among the others."""

    def __init__(self, rows: Iterable[TableRow], watermark: str) -> None:
        self._rows = rows
        self._watermark = watermark
        self.left_out = 0

    def __iter__(self) -> Iterator[TableRow]:
        for row in self._rows:
            mark = row[0][self._watermark]
            if isinstance(mark, float | Decimal) and not math.isfinite(mark):
                self.left_out += 1
            else:
                yield row


def _map_rows(mapping: PullMapping, batch: Sequence[LogRow], now: datetime) -> Iterator[Feedback | RowError]:
    for row in batch:
        yield from map_row(Row(row.number, row.values), mapping, now)


def _passed(file: StateFile, state: PullState, batch: Sequence[LogRow]) -> PullState:
    """The state with the watermark behind these rows, those that stand at it kept."""
    marks = [row.mark for row in batch if row.mark is not None]
    value = marks[-1].value
    digests = [mark.digest for mark in marks if mark.value == value]
    is_same = value == state.watermark and state.seen_bytes > 0
    seen_number, seen_bytes = file.add_seen(state, digests, is_more=is_same)
    return msgspec.structs.replace(state, watermark=value, seen_number=seen_number, seen_bytes=seen_bytes)


def _ended(state: PullState, at: datetime, error: str | None) -> PullState:
    failures = 0 if error is None else state.failures + 1
    return msgspec.structs.replace(state, last_run_at=at, last_error=error, failures=failures, pending=None)
