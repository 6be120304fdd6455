"""Which unsure readings a judge has not answered yet, and which of its answers have lost what they were about.

Read from the signals themselves, without a watermark: a judge that is taken out of the settings must hold up no vacuum.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
from msgspec import Struct

from penstock.lake.lake import Lake
from penstock.records.ids import signal_id
from penstock.records.signal import Signal
from penstock.signals.amend import WITHDRAWN, definition_key
from penstock.signals.definition import label
from penstock.signals.feedback_cues import Code
from penstock.signals.feedback_questions import Doubt
from penstock.signals.natural_feedback import FEEDBACK, NAME, UNSURE

JUDGED = "feedback_judge@1"  # the definition on the signals that a judge gives
LOOK_BACK = timedelta(days=7)  # how long after a message it is still put to the judge
MOST_ATTEMPTS = 3  # at answers that could not be had, or read, from a server that answered others
NEXT, ATTEMPTS, ASKED, ASKED_AT = "next_interaction_id", "attempts", "questions", "asked_at"
_PAGE = 1_000
_A_DAY = timedelta(days=1)


class Due(Struct, frozen=True, kw_only=True):
    """One unsure reading that is to be judged."""

    cue: Signal
    doubt: Doubt
    attempts: int  # so far


def days_of(now: datetime) -> tuple[date, date]:
    """The days on which messages lie that are still put to the judge."""
    return ((now - LOOK_BACK).date(), date.max)


def judged_signals(lake: Lake, now: datetime) -> list[Signal]:
    """Every revision of what the judge has said of messages of the last days."""
    rows = lake.revisions("signals", dates=days_of(now))
    found = lake.to_records("signals", rows.filter(rows.definition == JUDGED))
    return list({(row.signal_id, row.revision): row for row in found}.values())


def latest_of(revisions: Iterable[Signal]) -> dict[str, Signal]:
    """The last revision by target."""
    latest: dict[str, Signal] = {}
    for row in sorted(revisions, key=lambda row: (row.revision, row.known_at)):
        latest[row.target_id] = row
    return latest


def asked_since(revisions: Iterable[Signal], since: datetime) -> int:
    """How many questions were asked since a time."""
    return sum(int(row.evidence.get(ASKED, "0")) for row in revisions if row.known_at >= since)


def still_unsure(lake: Lake, now: datetime, targets: Collection[str]) -> dict[str, Signal]:
    """What the cues say now of these targets, where it is still unsure."""
    if not targets:
        return {}
    ids = [signal_id(definition_key(FEEDBACK), target, NAME) for target in targets]
    rows = lake.to_records("signals", lake.current("signals", ids=ids, dates=days_of(now)))
    return {row.target_id: row for row in rows if row.evidence.get("certainty") == UNSURE}


def stale(standing: Mapping[str, Signal], cues: Mapping[str, Signal]) -> list[Signal]:
    """Answers that hold no longer: the cue is gone or sure by now, or another message came between."""
    return [
        row
        for target, row in standing.items()
        if WITHDRAWN not in row.evidence and (target not in cues or cues[target].evidence[NEXT] != row.evidence[NEXT])
    ]


def find_due(lake: Lake, now: datetime, standing: Mapping[str, Signal], exposures: Collection[str], most: int) -> list[Due]:
    """Up to so many unsure readings that have no answer, newest first."""
    done = [row for row in standing.values() if _is_done(row)]
    found: dict[str, Due] = {}  # a target that was unsure of one message, and then of another, may stand on several pages
    for page in range(1_000):
        targets = _page(lake, now, done, page)
        unsure = {target: cue for target, cue in still_unsure(lake, now, targets).items() if not _is_answered(cue, standing)}
        found.update({due.cue.target_id: due for due in _with_texts(lake, now, unsure, standing, exposures)})
        if len(found) >= most or len(targets) < _PAGE:
            break
    return sorted(found.values(), key=lambda due: due.cue.occurred_at, reverse=True)[:most]


def _is_answered(cue: Signal, standing: Mapping[str, Signal]) -> bool:
    before = standing.get(cue.target_id)
    return before is not None and _is_done(before) and before.evidence[NEXT] == cue.evidence[NEXT]


def _is_done(row: Signal) -> bool:
    return WITHDRAWN not in row.evidence and (row.value is not None or int(row.evidence.get(ATTEMPTS, "0")) >= MOST_ATTEMPTS)


def _page(lake: Lake, now: datetime, done: Sequence[Signal], page: int) -> list[str]:
    """Targets that a cue was ever unsure of, and about whose next message the judge has not answered."""
    rows = lake.revisions("signals", dates=days_of(now))
    unsure = rows.filter(rows.definition == label(FEEDBACK), rows.evidence.get("certainty", "") == UNSURE)
    readings = unsure.select("target_id", "occurred_at", next=unsure.evidence.get(NEXT, "")).distinct()
    answered = pa.table(
        {"target_id": [row.target_id for row in done], "next": [row.evidence[NEXT] for row in done]},
        schema=pa.schema([("target_id", pa.string()), ("next", pa.string())]),
    )
    left = readings.anti_join(ibis.memtable(answered), ["target_id", "next"])
    newest = left.order_by([left.occurred_at.desc(), left.target_id]).limit(_PAGE, offset=page * _PAGE)
    return [str(target) for target in newest.to_pyarrow().column("target_id").to_pylist()]


def _with_texts(
    lake: Lake, now: datetime, cues: Mapping[str, Signal], standing: Mapping[str, Signal], exposures: Collection[str]
) -> list[Due]:
    """Those whose texts are there, of exposures that count as the users' own."""
    needed = [*cues, *(cue.evidence[NEXT] for cue in cues.values())]
    if not needed:
        return []
    rows = lake.current("interactions", ids=needed, dates=(days_of(now)[0] - 2 * _A_DAY, date.max))
    chosen = rows.select("interaction_id", "exposure", "prompt_text", "response_text").to_pyarrow()
    by_id = {row["interaction_id"]: row for row in chosen.to_pylist()}
    found = []
    for target, cue in cues.items():
        doubt = _doubt(cue, by_id.get(target), by_id.get(cue.evidence[NEXT]), exposures)
        if doubt is not None:
            before = standing.get(target)
            is_same = before is not None and before.evidence.get(NEXT) == cue.evidence[NEXT]
            attempts = int(before.evidence.get(ATTEMPTS, "0")) if before is not None and is_same else 0
            found.append(Due(cue=cue, doubt=doubt, attempts=attempts))
    return found


def _doubt(
    cue: Signal, answered: Mapping[str, Any] | None, following: Mapping[str, Any] | None, exposures: Collection[str]
) -> Doubt | None:
    if answered is None or following is None or answered["exposure"] not in exposures:
        return None
    texts = (answered["prompt_text"], answered["response_text"], following["prompt_text"])
    if any(text is None for text in texts):
        return None
    also = cue.evidence.get("also")
    return Doubt(
        code=Code(cue.evidence["code"]),
        also=Code(also) if also else None,
        request=texts[0],
        answer=texts[1],
        next_message=texts[2],
    )
