"""A fresh lake per test."""

from pathlib import Path

import pytest

from penstock.config import LakeSettings
from penstock.lake.lake import Lake


@pytest.fixture
def lake(home: Path) -> Lake:
    lake = Lake(home / "lake", LakeSettings())
    lake.create()
    return lake
