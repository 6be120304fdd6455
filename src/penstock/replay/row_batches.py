"""Rows of a log in batches: a batch is sent as one request, and what became of each of its rows is returned.

A row that is refused is found by sending its batch one by one, so that it costs no other row.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from penstock.errors import BadInputError
from penstock.formats.otlp import Encoding
from penstock.replay.binding import RowError
from penstock.replay.compressed import plain_name
from penstock.replay.log_rows import LogRow
from penstock.replay.mapping import RowMapping
from penstock.replay.progress import Rejected
from penstock.replay.row_mapping import Call, map_row, to_request
from penstock.replay.sender import EdgeSender

BATCH_ROWS = 100
BATCH_BYTES = 4 * 1024 * 1024


class Done(Struct, frozen=True, kw_only=True):
    """What became of a batch."""

    last_row: int
    sent: int
    feedback: int
    rejected: list[Rejected]


class Batch(Struct, frozen=True):
    """Rows that are sent together, and those among them that cannot be."""

    calls: list[Call]
    rejected: list[Rejected]
    last_row: int
    fraction: float


def read_batches(rows: Iterable[LogRow], path: Path, mapping: RowMapping) -> Iterator[Batch]:
    """Rows in batches; rows read before a file breaks off are a batch of their own, and then the error comes."""
    calls: list[Call] = []
    rejected: list[Rejected] = []
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
            try:
                calls.append(map_row(row, plain_name(path), mapping))
                size_bytes += calls[-1].span.ByteSize()
            except RowError as error:
                rejected.append(Rejected(file=str(path), row=row.number, reason=str(error)))
        full = len(calls) + len(rejected) >= BATCH_ROWS or size_bytes >= BATCH_BYTES
        if (full or row is None) and (calls or rejected):
            yield Batch(calls, rejected, last_row, fraction)
            calls, rejected, size_bytes = [], [], 0
        if row is None:
            break
    if broken is not None:
        raise broken


async def send_batch(batch: Batch, file: str, sender: EdgeSender) -> Done:
    """Send the spans, then the feedback on those that were taken."""
    taken, rejected = await _send_calls(batch.calls, file, sender)
    feedback, refused = await _send_reports(taken, file, sender)
    return Done(last_row=batch.last_row, sent=len(taken), feedback=feedback, rejected=[*batch.rejected, *rejected, *refused])


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
    reports: list[tuple[int, dict[str, Any]]] = [(call.number, report) for call in calls for report in call.feedback]
    if not reports:
        return 0, []
    answer = await sender.send_feedback([report for _, report in reports])
    if not answer.accepted:
        reason = f"its feedback: {answer.reason}"
        return 0, [Rejected(file=file, row=number, reason=reason) for number in dict.fromkeys(number for number, _ in reports)]
    refused = [Rejected(file=file, row=reports[index][0], reason=f"its feedback: {why}") for index, why in answer.rejected]
    return len(reports) - len(refused), refused
