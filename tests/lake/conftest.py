"""A fresh lake per test."""

from pathlib import Path

import pytest

from penstock.lake.lake import Lake
from penstock.settings import LakeSettings


@pytest.fixture
def lake(home: Path) -> Lake:
    lake = Lake(home / "lake", LakeSettings())
    lake.create()
    return lake
