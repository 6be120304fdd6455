"""Exports of other tools in tests/replay/exports, and what becomes of them behind the edge, without one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from penstock.edge.feedback_api import build_feedback
from penstock.ingest.decode import decode_traces
from penstock.ingest.feedback_targets import Directory, Named
from penstock.ingest.interactions import build_interactions
from penstock.records.clock import utc_now
from penstock.records.feedback import Feedback
from penstock.records.interaction import Interaction
from penstock.replay.call import Call, to_request
from penstock.replay.export_calls import Adjustments
from penstock.replay.log_rows import read_rows
from penstock.replay.openai_log import read_questions
from penstock.replay.ready import load_reader
from tests.rows import LATER

EXPORTS = Path(__file__).parent / "exports"


def read_calls(tool: str, *files: str | Path, **adjustments: Any) -> list[Call]:
    """Every row of these files as a call; raises RowError for one that cannot be one."""
    paths = [EXPORTS / file for file in files]

    def questions() -> dict[str, bytes | None]:
        return read_questions(row.values for path in paths for row in read_rows(path, reader.source, frozenset()))

    reader = load_reader("openai", Adjustments(), dict)
    reader = load_reader(tool, Adjustments(**adjustments), questions)
    return [reader.read(row, path.name) for path in paths for row in read_rows(path, reader.source, reader.columns)]


def settle(calls: Iterable[Call]) -> list[Interaction]:
    """The interactions that they become."""
    return build_interactions(decode_traces(to_request(list(calls)), LATER).spans, LATER)


def reports(calls: Iterable[Call]) -> list[Feedback]:
    """The feedback that comes with them."""
    return [build_feedback(report, utc_now()) for call in calls for report in call.feedback]


def targets(calls: list[Call]) -> list[tuple[str, float | None, str | None, set[str]]]:
    """Name, value and text of each report, and the interactions that its target names."""
    directory = Directory(
        Named(
            interaction_id=row.interaction_id,
            trace_id=row.trace_id,
            span_id=row.span_id,
            request_id=row.request_id,
            response_id=row.response_id,
            session_id=row.session_id,
            keys=row.keys,
            revision=0,
            merged_into=None,
        )
        for row in settle(calls)
    )
    return [(report.name, report.value, report.text, directory.find(report)) for report in reports(calls)]
