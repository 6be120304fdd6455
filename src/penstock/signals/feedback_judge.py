"""Has a judge answer what cues leave unsure, and appends what it says beside theirs, as `feedback_judge@1`.

A step of its own, never part of a run of the definitions, which wait for no model. Every question that was asked leaves a row, an
answer or the reason why there is none; models are asked outside the hold on the lake that an erasure waits for.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime

import pyarrow as pa
from msgspec import Struct

from penstock.judging.judge import Judge, Verdict
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.ids import signal_id
from penstock.records.signal import Signal, SignalKind
from penstock.signals.amend import NO_SIGNALS, amend
from penstock.signals.feedback_due import (
    ASKED,
    ASKED_AT,
    ATTEMPTS,
    JUDGED,
    NEXT,
    Due,
    asked_since,
    find_due,
    judged_signals,
    latest_of,
    stale,
    still_unsure,
)
from penstock.signals.feedback_questions import finding_of
from penstock.signals.natural_feedback import NAME

MOST_AT_ONCE = 200  # readings in one run
_CHUNK = 20  # readings between two commits: so much is asked again after a crash


class Judged(Struct, frozen=True, kw_only=True):
    """What a run came to."""

    questions: int = 0
    answered: int = 0  # readings with an answer
    failed: int = 0  # readings without
    withdrawn: int = 0  # older answers that hold no longer
    left_today: int = 0  # questions that may still be asked today
    away: str | None = None  # why the server was given up on, where it was


class _Answer(Struct, frozen=True, kw_only=True):
    """The verdicts on one reading, in the order of its suspicions."""

    due: Due
    verdicts: Sequence[Verdict]

    @property
    def failed(self) -> bool:
        """Whether there is none in the end."""
        return self.verdicts[-1].is_yes is None


def judge_feedback(
    lake: Lake,
    judge: Judge,
    clock: WriterClock,
    *,
    exposures: Collection[str],
    now: datetime,
    most: int = MOST_AT_ONCE,
    go_on: Callable[[], bool] = lambda: True,
) -> Judged:
    """Ask about what is unsure and has no answer, within the day's allowance; `go_on` is asked before each commit's worth."""
    with lake.writing():
        revisions = judged_signals(lake, now)
        standing = latest_of(revisions)
        gone = stale(standing, still_unsure(lake, now, list(standing)))
        _append(lake, clock, [], gone)
        if gone:
            standing = latest_of(revisions := judged_signals(lake, now))
        left = max(0, judge.settings.daily_questions - asked_since(revisions, _midnight(now)))
        due = find_due(lake, now, standing, exposures, min(most, left))
    total = Judged(withdrawn=len(gone), left_today=left)
    for chunk in _chunks(due):
        affordable = _affordable(chunk, total.left_today)
        if not affordable or total.away is not None or not go_on():
            break
        answers, away = _ask(judge, affordable)
        _write(lake, judge, clock, now, answers, is_away=away is not None)
        total = _add(total, answers, away)
    return total


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _chunks(due: Sequence[Due]) -> Iterator[Sequence[Due]]:
    return (due[first : first + _CHUNK] for first in range(0, len(due), _CHUNK))


def _affordable(chunk: Sequence[Due], left: int) -> list[Due]:
    """As many as may be asked about, whatever the answers."""
    taken: list[Due] = []
    for due in chunk:
        left -= len(due.doubt.suspicions)
        if left < 0:
            break
        taken.append(due)
    return taken


def _ask(judge: Judge, chunk: Sequence[Due]) -> tuple[list[_Answer], str | None]:
    """What the judge says of each that it was asked about, and why the server is taken to be away, where it is."""
    said = judge.ask([[due.doubt.question(code) for code in due.doubt.suspicions] for due in chunk])
    answers = [_Answer(due=due, verdicts=verdicts) for due, verdicts in zip(chunk, said, strict=True) if verdicts]
    given_up = len(answers) < len(chunk) or all(answer.verdicts[-1].is_away for answer in answers)
    last = [answer.verdicts[-1] for answer in answers if answer.verdicts[-1].is_away]
    return answers, (last[-1].detail or last[-1].failure) if given_up and last else None


def _write(lake: Lake, judge: Judge, clock: WriterClock, now: datetime, answers: Sequence[_Answer], *, is_away: bool) -> None:
    """Append the answers to what still stands as it was asked about."""
    with lake.writing():
        cues = still_unsure(lake, now, [answer.due.cue.target_id for answer in answers])
        found = [
            _signal(judge, clock, answer, now, attempts=answer.due.attempts + (not is_away))
            for answer in answers
            if (cue := cues.get(answer.due.cue.target_id)) is not None and cue.evidence[NEXT] == answer.due.cue.evidence[NEXT]
        ]
        standing = latest_of(judged_signals(lake, now))
        _append(lake, clock, found, [standing[row.target_id] for row in found if row.target_id in standing])


def _signal(judge: Judge, clock: WriterClock, answer: _Answer, now: datetime, attempts: int) -> Signal:
    cue, verdicts = answer.due.cue, answer.verdicts
    finding = finding_of(answer.due.doubt, verdicts)
    evidence = {
        "judge": finding.said,
        "suspected": ",".join(code.value for code in answer.due.doubt.suspicions[: len(verdicts)]),
        ASKED: str(len(verdicts)),
        ATTEMPTS: str(attempts),
        ASKED_AT: now.isoformat(),  # by which every question is a row of its own, and counts, however often it fails alike
        NEXT: cue.evidence[NEXT],
        **({} if finding.code is None else {"code": finding.code}),
    }
    return Signal(
        signal_id=signal_id(JUDGED, cue.target_id, NAME),
        target_kind=cue.target_kind,
        target_id=cue.target_id,
        interaction_id=cue.interaction_id,
        session_id=cue.session_id,
        name=NAME,
        kind=SignalKind.IMPLICIT.value,
        value=finding.value,
        occurred_at=cue.occurred_at,
        known_at=clock.known_at(),
        source=f"judge:{judge.model}",
        definition=JUDGED,
        evidence=evidence,
    )


def _append(lake: Lake, clock: WriterClock, found: Sequence[Signal], standing: Sequence[Signal]) -> None:
    """New rows for what was found, revisions where something stood, and withdrawals of what stands and was not found."""
    if found or standing:
        lake.append("signals", amend(_table(lake, found), _table(lake, standing), clock.known_at()))


def _table(lake: Lake, rows: Sequence[Signal]) -> pa.Table:
    return lake.to_rows("signals", rows).select(NO_SIGNALS.schema.names).cast(NO_SIGNALS.schema)


def _add(total: Judged, answers: Sequence[_Answer], away: str | None) -> Judged:
    questions = sum(len(answer.verdicts) for answer in answers)
    failed = sum(answer.failed for answer in answers)
    return Judged(
        questions=total.questions + questions,
        answered=total.answered + len(answers) - failed,
        failed=total.failed + failed,
        withdrawn=total.withdrawn,
        left_today=max(0, total.left_today - questions),
        away=away,
    )
