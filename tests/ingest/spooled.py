"""Spans by number, in spools and in lakes."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from penstock.ingest.spool import Spool, create_spool
from penstock.lake.arrow_schema import to_arrow
from penstock.lake.lake import Lake
from penstock.lake.tables import TABLES
from penstock.records.span import Span
from tests.rows import make_span, trace

PLENTY = 100_000_000


def numbered_span(number: int) -> Span:
    """The span with this number."""
    return make_span(trace(number), f"{number + 1:016x}", prompt_text=f"question {number}")


def span_rows(numbers: Iterable[int]) -> pa.Table:
    """The spans with these numbers as the door hands them to a spool."""
    return to_arrow(TABLES["spans"], [numbered_span(number) for number in numbers])


def fresh_spool(home: Path, max_bytes: int = PLENTY) -> Spool:
    """An empty spool in the home."""
    return create_spool(home / "spool", max_bytes)


def stored_keys(lake: Lake) -> list[str]:
    """The key of every span row of the lake, of those that stand there twice as well."""
    return sorted(lake.revisions("spans").select("span_key").to_pyarrow()["span_key"].to_pylist())


def keys(numbers: Iterable[int]) -> list[str]:
    """The keys that these spans have."""
    return sorted(numbered_span(number).span_key for number in numbers)
