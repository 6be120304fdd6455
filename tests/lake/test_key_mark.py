"""A lake bears the mark of the key by which its ids are hashed; a home with another key can neither write to it nor erase."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from penstock.cli import build_cli
from penstock.errors import ConfigurationError, StorageError
from penstock.lake.key_mark import require_same_key
from penstock.lake.lake import Lake
from penstock.lake.local_place import LocalPlace
from tests.edge.test_process import running_edge, send_spans

KEY, ANOTHER = b"a" * 32, b"b" * 32


def test_the_first_key_leaves_its_mark_and_no_other_is_taken(lake: Lake) -> None:
    for _ in range(2):
        require_same_key(lake.root, KEY)
    with pytest.raises(ConfigurationError, match=r"hashed with another key .*_key_mark"):
        require_same_key(lake.root, ANOTHER)
    mark = lake.root / "_key_mark"
    assert KEY not in mark.read_bytes() and KEY.hex().encode() not in mark.read_bytes()
    mark.unlink()
    require_same_key(lake.root, ANOTHER)


def test_a_lake_that_is_not_there_is_no_other_key(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        require_same_key(LocalPlace(tmp_path / "nowhere"), KEY)
    assert not (tmp_path / "nowhere").exists()


def test_with_another_key_edge_worker_and_erasure_refuse(home: Path) -> None:
    with running_edge(home) as (_, running):
        send_spans(running.url, 3)
    key = (home / "secret.key").read_bytes()
    (home / "secret.key").write_bytes(ANOTHER)
    for command in (["edge"], ["worker"], ["erase", "--user", "jane"]):
        with pytest.raises(ConfigurationError, match="hashed with another key"):
            _penstock(home, *command)
    (home / "secret.key").write_bytes(key)
    assert json.loads(_penstock(home, "erase", "--user", "jane", "--json"))["users"] == 1


def _penstock(home: Path, command: str, *arguments: str) -> str:
    return CliRunner().invoke(build_cli(command), [command, *arguments, "--home", str(home)], catch_exceptions=False).stdout
