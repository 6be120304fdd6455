"""Rows of a log in batches: a batch is sent as one request, and what became of each of its rows is returned.

A row that is refused is found by sending its batch one by one, so that it costs no other row.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from penstock.errors import BadInputError
from penstock.formats.otlp import Encoding
from penstock.replay.binding import PassedOverError, RowError
from penstock.replay.call import Call, to_request
from penstock.replay.log_rows import LogRow, Mark
from penstock.replay.progress import Rejected
from penstock.replay.row_reader import RowReader
from penstock.replay.sender import EdgeSender

BATCH_ROWS = 100
BATCH_BYTES = 4 * 1024 * 1024


class Done(Struct, frozen=True, kw_only=True):
    """What became of a batch."""

    last_row: int
    sent: int
    feedback: int
    rejected: list[Rejected]
    passed_over: dict[str, int] = {}  # why -> how many rows there was nothing to send of
    marks: list[Mark] = []


class Batch(Struct, frozen=True):
    """Rows that are sent together, and those among them that cannot be."""

    calls: list[Call]
    rejected: list[Rejected]
    last_row: int
    fraction: float
    passed_over: dict[str, int]
    marks: list[Mark]


def read_batches(rows: Iterable[LogRow], file: str, name: str, reader: RowReader) -> Iterator[Batch]:
    """Rows in batches; rows read before a file breaks off are a batch of their own, and then the error comes."""
    calls: list[Call] = []
    rejected: list[Rejected] = []
    passed_over: Counter[str] = Counter()
    marks: list[Mark] = []
    size_bytes, last_row, fraction = 0, 0, 0.0
    rows = iter(rows)
    broken: BadInputError | None = None
    while broken is None:
        try:
            row = next(rows, None)
        except BadInputError as error:
            row, broken = None, error
        if row is not None:
            last_row, fraction = row.number, row.fraction
            marks += [row.mark] if row.mark is not None else []
            try:
                calls.append(reader.read(row, name))
                size_bytes += calls[-1].size_bytes
            except PassedOverError as error:
                passed_over[str(error)] += 1
            except RowError as error:
                rejected.append(Rejected(file=file, row=row.number, reason=str(error)))
        count = len(calls) + len(rejected) + passed_over.total()
        if count and (row is None or count >= BATCH_ROWS or size_bytes >= BATCH_BYTES):
            yield Batch(calls, rejected, last_row, fraction, dict(passed_over), marks)
            calls, rejected, marks, passed_over, size_bytes = [], [], [], Counter(), 0
        if row is None:
            break
    if broken is not None:
        raise broken


async def send_batch(batch: Batch, file: str, sender: EdgeSender) -> Done:
    """Send the spans, then the feedback on those that were taken."""
    only_reports = [call for call in batch.calls if not call.spans]
    taken, rejected = await _send_calls([call for call in batch.calls if call.spans], file, sender)
    feedback, refused = await _send_reports([*taken, *only_reports], file, sender)
    return Done(
        last_row=batch.last_row,
        sent=len(taken),
        feedback=feedback,
        rejected=[*batch.rejected, *rejected, *refused],
        passed_over=batch.passed_over,
        marks=batch.marks,
    )


async def _send_calls(calls: list[Call], file: str, sender: EdgeSender) -> tuple[list[Call], list[Rejected]]:
    """Send spans together, and one by one where together they are refused, so that a bad one costs no other."""
    if not calls:
        return [], []
    content = to_request(calls).SerializeToString()
    answer = await sender.send_telemetry("traces", content, Encoding.PROTOBUF)
    if answer.accepted and not answer.rejected_items:
        return calls, []
    if len(calls) == 1:
        return [], [Rejected(file=file, row=calls[0].number, reason=answer.reason or "the edge rejected it")]
    taken: list[Call] = []
    rejected: list[Rejected] = []
    for call in calls:
        one, refused = await _send_calls([call], file, sender)
        taken += one
        rejected += refused
    return taken, rejected


async def _send_reports(calls: list[Call], file: str, sender: EdgeSender) -> tuple[int, list[Rejected]]:
    """Send reports together, and row by row where the whole request is refused."""
    reports: list[tuple[int, dict[str, Any]]] = [(call.number, report) for call in calls for report in call.feedback]
    if not reports:
        return 0, []
    answer = await sender.send_feedback([report for _, report in reports])
    if not answer.accepted and len(calls) > 1:
        each = [await _send_reports([call], file, sender) for call in calls]
        return sum(count for count, _ in each), [rejected for _, found in each for rejected in found]
    if not answer.accepted:
        return 0, [Rejected(file=file, row=calls[0].number, reason=f"its feedback: {answer.reason}")]
    refused = [Rejected(file=file, row=reports[index][0], reason=f"its feedback: {why}") for index, why in answer.rejected]
    return len(reports) - len(refused), refused
