"""The composition root opens a lake and begins one, once."""

import pytest

from penstock.app import Penstock
from penstock.errors import NotFoundError
from penstock.settings import Settings


def test_a_lake_that_goes_away_is_not_begun_anew_by_the_next_handle(settings: Settings) -> None:
    penstock = Penstock(settings)
    assert penstock.open_lake().version("spans") == 0
    (penstock.home / "lake").rename(penstock.home / "away")
    with pytest.raises(NotFoundError):
        penstock.open_lake().version("spans")
    assert not (penstock.home / "lake").exists()
    (penstock.home / "away").rename(penstock.home / "lake")
    assert penstock.open_lake().version("spans") == 0


def test_an_existing_lake_is_opened_and_none_is_made(settings: Settings) -> None:
    with pytest.raises(NotFoundError):
        Penstock(settings).existing_lake().version("spans")
    assert not (settings.home_path / "lake").exists()
