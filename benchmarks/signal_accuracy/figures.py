"""What a data set's file gives: tables of figures with intervals, and the sentences that say what they mean."""

from pathlib import Path
from typing import Protocol

from msgspec import Struct

from penstock.statistics.intervals import wilson_interval


class Table(Struct, frozen=True, kw_only=True):
    """Figures of one kind."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Section(Struct, frozen=True, kw_only=True):
    """Everything measured on one data set."""

    title: str
    text: str  # what was measured, on which rows, and which rows tuning saw
    tables: tuple[Table, ...]
    missing: tuple[str, ...] = ()  # files that were to be measured and are not there


class Measure(Protocol):
    """One data set's file has one of these."""

    def __call__(self, data: Path) -> Section:
        """Measure on every file of the set's folder; what is missing is named in the section."""
        ...


def share(part: int, whole: int) -> str:
    """A share with its 95 % Wilson interval, as `0.912 (0.880-0.936)`; a dash where there is nothing to divide by."""
    if whole == 0:
        return "-"
    bounds = wilson_interval(part, whole)
    return f"{part / whole:.3f} ({bounds.low:.3f}-{bounds.high:.3f})"
