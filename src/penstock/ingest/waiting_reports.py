"""Which reports interactions that have come or were amended may answer, or answer otherwise: by name, a column at a time.

Nobody waits for most interactions, and each round brings many; so their names are held against all reports in one query, and no
record is made of any.
"""

from datetime import datetime

import pyarrow as pa

from penstock.lake.lake import Lake
from penstock.lake.snapshot import instant, revisions_sql

_NO_IDS = pa.table({"feedback_id": pa.array([], pa.string())})
_MOVED = "moved_interactions"
_COLUMNS = ("trace_id", "span_id", "request_id", "response_id", "session_id", "keys")
# What several interactions answered is clear once these turn out to be the same call, so ambiguous reports wait, too. Spans are
# named in hexadecimal, and maybe in capitals. A report on a trace, or on a span above the model's calls, which has a reason once
# it is settled, is settled anew when its trace gains an interaction.
_CANDIDATES = """
WITH reports AS MATERIALIZED (
  SELECT feedback_id, status, target_kind, target_id, reason, known_at FROM ({feedback})
  WHERE status IN ('pending', 'ambiguous') OR (status = 'matched' AND target_kind IN ('trace', 'run', 'span'))
), aliases AS (
  SELECT unnest([trace_id, concat_ws('-', trace_id[1:8], trace_id[9:12], trace_id[13:16], trace_id[17:20], trace_id[21:]),
    request_id, response_id, session_id] || map_values(keys)) AS name FROM {moved}
)
SELECT feedback_id FROM reports WHERE status IN ('pending', 'ambiguous') AND target_id IN (SELECT name FROM aliases)
UNION
SELECT feedback_id FROM reports WHERE status = 'pending' AND target_kind = 'span'
  AND lower(target_id) IN (SELECT unnest([trace_id || ':' || span_id, ':' || span_id]) FROM {moved})
UNION
SELECT feedback_id FROM reports
WHERE (target_kind IN ('trace', 'run') OR (target_kind = 'span' AND (reason IS NOT NULL OR status = 'pending')))
  AND replace(split_part(lower(target_id), ':', 1), '-', '') IN (SELECT trace_id FROM {moved})
UNION
SELECT feedback_id FROM reports WHERE status = 'pending' AND known_at <= {expired_before}
"""


def reports_to_look_at(lake: Lake, moved: pa.Table, expired_before: datetime) -> pa.Table:
    """The ids of reports that may be about one of these interactions, and of those that wait and were known by `expired_before`.

    They are candidates: superseded revisions count, and names are compared whatever they name.
    """
    feedback = lake.snapshot("feedback")
    if not feedback.files:
        return _NO_IDS
    lake.show(_MOVED, moved.select(list(_COLUMNS)))
    try:
        return lake.query(
            _CANDIDATES.format(feedback=revisions_sql(feedback), moved=_MOVED, expired_before=instant(expired_before))
        )
    finally:
        lake.hide(_MOVED)
