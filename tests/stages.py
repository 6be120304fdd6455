"""Fixtures of the stages that read and write the lake: a lake, and a clock that does not move unless a test moves it."""

from datetime import datetime

import pytest

from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from tests.rows import LATER


class Now:
    """The time, as a test sets it."""

    def __init__(self) -> None:
        self.time: datetime = LATER

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def now() -> Now:
    """What a test moves."""
    return Now()


@pytest.fixture
def clock(now: Now) -> WriterClock:
    """A writer's clock that shows it."""
    return WriterClock(now)


@pytest.fixture
def lake(empty_lake: Lake) -> Lake:
    """An empty lake."""
    return empty_lake
