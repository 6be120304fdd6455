"""What these tests need of the stores."""

from pathlib import Path

import pytest

from penstock.lake.lake import Lake
from penstock.settings import LakeSettings
from tests.stages import clock, lake, now

__all__ = ["clock", "lake", "now", "other_lake"]


@pytest.fixture
def other_lake(tmp_path: Path) -> Lake:
    """A second lake, to compare with."""
    other = Lake(tmp_path / "other" / "lake", LakeSettings())
    other.create()
    return other
