"""Run the definitions over what is new, and append the signals that are new, that changed, or that no longer hold.

For every target touched all findings are worked out anew and compared with the signals that stand, so the same rows give the same
signals whatever the order and however often. One writer at a time. A session that nobody continues is looked at once more when
it has been quiet for long enough.
"""

import logging
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import pyarrow as pa
from msgspec import Struct

from penstock.errors import PenstockError, StorageError
from penstock.lake.arrow_values import column_values
from penstock.lake.lake import Lake
from penstock.lake.tables import reader
from penstock.lake.watermarks import Horizon, advancing
from penstock.records.clock import WriterClock, utc_now
from penstock.signals.amend import NO_SIGNALS, amend, as_signals, found_by, of_targets, signals_of
from penstock.signals.backfill import COMPLETE, incomplete, no_longer_found, turns_after
from penstock.signals.definition import Definition, Tables, label
from penstock.signals.definitions import DEFINITIONS
from penstock.signals.engine import Engine, LakeEngine, tables_of
from penstock.signals.scope import (
    FEEDBACK_COLUMNS,
    INTERACTION_COLUMNS,
    Scope,
    find_scope,
    quiet_sessions,
    scope_of_quiet,
    scope_of_turns,
)
from penstock.text.quoted_values import without_values

INTERACTIONS_WATERMARK = reader("interactions", "signals")
FEEDBACK_WATERMARK = reader("feedback", "signals")
QUIET_UNTIL = "signals:quiet"  # seconds since 1970 until when sessions that have gone quiet have been looked at
QUIET_INTERVAL_S = 60  # how often they are looked for
MAX_ROWS = 250_000

logger = logging.getLogger(__name__)

_BEGUN_AHEAD = 4  # definitions whose candidates are selected while earlier ones are judged
_MOST_QUIET_S = 6 * 3600  # of sessions that have gone quiet, so much at a time


def _nothing() -> None:
    pass


def _never() -> bool:
    return False


def run_signals(
    lake: Lake,
    clock: WriterClock,
    exposures: Iterable[str] | None = None,
    *,
    definitions: Mapping[str, Definition] = DEFINITIONS,
    max_rows: int | None = MAX_ROWS,
    engine: Engine | None = None,
    as_of: datetime | None = None,
    ends_early: Callable[[], bool] = _never,
) -> dict[str, int]:
    """Work out every signal that the interactions and feedback new by now call for; gives how many were written, by name.

    `exposures` limits what is worked out from behaviour; what was reported is a signal whatever the exposure. `as_of` is now:
    until when everything is known that there is to know. `ends_early` is asked after each piece whether the rest is left to the
    next run.
    """
    only = None if exposures is None else tuple(exposures)
    run = Run(lake, clock, only, list(definitions.values()), engine or LakeEngine(lake), as_of or utc_now())
    written = run.catch_up(max_rows or sys.maxsize, ends_early)
    horizon = Horizon(lake, "signals", [INTERACTIONS_WATERMARK, FEEDBACK_WATERMARK])
    while not ends_early() and (names := run.read_changes(max_rows, horizon)) is not None:
        written.update(names)
        if horizon.is_reached():
            break
    while not ends_early() and (names := run.read_quiet()) is not None:
        written.update(names)
    return dict(sorted(written.items()))


class Chunk(Struct, frozen=True, kw_only=True):
    """What some commits touch."""

    scope: Scope
    reached: dict[str, int]  # the versions up to which they were read, by watermark


class Run:
    """One run of definitions over a lake, chunk after chunk."""

    def __init__(
        self,
        lake: Lake,
        clock: WriterClock,
        exposures: tuple[str, ...] | None,
        definitions: Sequence[Definition],
        engine: Engine,
        as_of: datetime,
    ) -> None:
        self._lake = lake
        self._clock = clock
        self._exposures = exposures
        self._definitions = definitions
        self._engine = engine
        self._as_of = as_of
        self._ahead: Chunk | None = None

    def catch_up(self, max_rows: int, ends_early: Callable[[], bool]) -> Counter[str]:
        """Run definitions that are new, or changed, over what the others have read."""
        behind, written = incomplete(self._lake, self._definitions), Counter[str]()
        if not behind:
            return written
        if self._lake.transaction_version("signals", INTERACTIONS_WATERMARK) is not None:
            definitions, reached = [one for one, _ in behind.values()], min(day for _, day in behind.values())
            for day, turns in turns_after(self._lake, reached, max_rows):
                scope = scope_of_turns(self._lake, turns)
                written += self._append(self._signals(scope, definitions, anew=True), dict.fromkeys(behind, day))
                if ends_early():
                    return written
        self._append(NO_SIGNALS, dict.fromkeys(behind, COMPLETE))
        return written

    def read_changes(self, max_rows: int | None, horizon: Horizon) -> Counter[str] | None:
        """Work out what the next commits of interactions and feedback touch; None where there is nothing new.

        While the last definitions are judged it is found out what the commits after these touch.
        """
        chunk = self._ahead or self._find_chunk(
            {name: self._lake.transaction_version("signals", name) for name in (INTERACTIONS_WATERMARK, FEEDBACK_WATERMARK)},
            max_rows,
        )
        self._ahead = None
        if chunk is None:
            return None

        def look_ahead() -> None:
            if not horizon.is_reached_by(chunk.reached):
                self._ahead = self._find_chunk(chunk.reached, max_rows)

        return self._append(self._signals(chunk.scope, self._definitions, meanwhile=look_ahead), chunk.reached)

    def _find_chunk(self, marks: Mapping[str, int | None], max_rows: int | None) -> Chunk | None:
        """What was committed after these versions touches; None where that is nothing."""
        interactions = self._lake.changes("interactions", marks[INTERACTIONS_WATERMARK], INTERACTION_COLUMNS, max_rows)
        feedback = self._lake.changes("feedback", marks[FEEDBACK_WATERMARK], FEEDBACK_COLUMNS, max_rows)
        if interactions.rows.num_rows == feedback.rows.num_rows == 0:
            return None
        return Chunk(
            scope=find_scope(self._lake, interactions.rows, feedback.rows, self._as_of),
            reached={INTERACTIONS_WATERMARK: interactions.version, FEEDBACK_WATERMARK: feedback.version},
        )

    def read_quiet(self) -> Counter[str] | None:
        """Look once more at sessions that have gone quiet, for what waits for that; None where it was done lately."""
        now, before = int(self._as_of.timestamp()), self._lake.transaction_version("signals", QUIET_UNTIL)
        waiting = [definition for definition in self._definitions if definition.awaits_quiet]
        if before is None:
            self._append(NO_SIGNALS, {QUIET_UNTIL: now})
            return None
        if not waiting or now - before < QUIET_INTERVAL_S:
            return None
        until = min(now, before + _MOST_QUIET_S)
        turns = quiet_sessions(self._lake, datetime.fromtimestamp(before, UTC), datetime.fromtimestamp(until, UTC))
        signals = self._signals(scope_of_quiet(self._lake, turns), waiting) if turns.num_rows else NO_SIGNALS
        return self._append(signals, {QUIET_UNTIL: until})

    def _append(self, signals: pa.Table, reached: dict[str, int]) -> Counter[str]:
        self._lake.append("signals", signals, transactions=advancing(self._lake, "signals", reached))
        return Counter(column_values(signals.column("name")))

    def _signals(
        self, scope: Scope, definitions: Sequence[Definition], *, anew: bool = False, meanwhile: Callable[[], None] = _nothing
    ) -> pa.Table:
        """The rows to append: what was found, held against what stands.

        `meanwhile` is called when all candidates are selected, and not all judged. `anew` is for definitions that follow others
        of their name, and have to say what these found and they do not.
        """
        known_at = self._clock.known_at()
        with tables_of(self._engine, scope, self._as_of, self._exposures) as tables:
            found, standing = self._found_and_standing(scope, tables, definitions, known_at, anew=anew, meanwhile=meanwhile)
        return amend(found, standing, known_at)

    def _found_and_standing(
        self,
        scope: Scope,
        tables: Tables,
        definitions: Sequence[Definition],
        known_at: datetime,
        *,
        anew: bool,
        meanwhile: Callable[[], None],
    ) -> tuple[pa.Table, pa.Table]:
        found, standing = [NO_SIGNALS], [NO_SIGNALS]
        for source, targets, rows, once_begun in (
            ("reports", scope.reported, scope.reports, _nothing),
            ("interactions", scope.behaving, scope.turns, meanwhile),
        ):
            asked = [definition for definition in definitions if definition.source == source]
            if targets.num_rows == 0 or not asked:
                continue
            answered, signals = [], [NO_SIGNALS]
            for one, batches in self._find_all(asked, tables, once_begun) if rows.num_rows else [(one, []) for one in asked]:
                answered.append(one)
                signals.append(as_signals(one, batches, known_at))
            here, stands = of_targets(pa.concat_tables(signals), targets), signals_of(self._lake, targets, scope.since)
            found.append(here)
            if anew:
                found += [no_longer_found(one, stands, here, known_at) for one in answered]
            standing.append(found_by(answered, stands))
        return pa.concat_tables(found), pa.concat_tables(standing)

    def _find_all(
        self, definitions: Sequence[Definition], tables: Tables, once_begun: Callable[[], None]
    ) -> Iterator[tuple[Definition, list[pa.RecordBatch]]]:
        """What each finds, in their order, once the next ones are begun; those that do not run are left out."""
        begun: deque[tuple[Definition, Iterator[pa.RecordBatch]]] = deque()
        for definition in definitions:
            with _left_out_where_broken(definition):
                begun.append((definition, self._engine.find(definition, tables)))
            if len(begun) > _BEGUN_AHEAD:
                yield from _what_is_found(*begun.popleft())
        once_begun()
        for one in begun:
            yield from _what_is_found(*one)


def _what_is_found(
    definition: Definition, batches: Iterator[pa.RecordBatch]
) -> Iterator[tuple[Definition, list[pa.RecordBatch]]]:
    found: list[pa.RecordBatch] | None = None
    with _left_out_where_broken(definition):
        found = list(batches)
    if found is not None:
        yield definition, found


@contextmanager
def _left_out_where_broken(definition: Definition) -> Iterator[None]:
    """For a user's, which is another version once it is mended, and then run over everything; a built-in one must run.

    A lake that cannot be read is nobody's definition.
    """
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        if definition.name in DEFINITIONS:
            raise
        # What we refuse is said of the SELECT; an engine's own error quotes what it stumbled on in a row.
        reason = str(error) if isinstance(error, PenstockError) else without_values(f"{type(error).__name__}: {error}")
        logger.error("The signal %s is left out until it is mended: %s", label(definition), reason)
