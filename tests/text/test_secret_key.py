"""A home has one key, made once, which only its owner may read."""

import stat
from pathlib import Path

import pytest

from penstock.errors import StorageError
from penstock.text.secret_key import load_key


def test_the_key_of_a_home_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    key = load_key(tmp_path / "home")
    assert load_key(tmp_path / "home") == key
    assert len(key) == 32
    assert stat.S_IMODE((tmp_path / "home" / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["secret.key"]


def test_a_damaged_key_is_refused_rather_than_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"short")
    with pytest.raises(StorageError, match="holds 5 bytes"):
        load_key(tmp_path)
