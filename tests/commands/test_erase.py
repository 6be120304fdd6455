"""`penstock erase` as a person types it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from penstock.cli import build_cli
from penstock.errors import BadInputError


def _run(home: Path, *arguments: str) -> str:
    done = CliRunner().invoke(build_cli("erase"), ["erase", *arguments, "--home", str(home)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_users_are_named_by_option_and_by_file(home: Path, tmp_path: Path) -> None:
    users = tmp_path / "users.txt"
    users.write_text("bob\n\ncarol\n", encoding="utf-8")
    report = json.loads(_run(home, "--user", "alice", "--users-file", str(users), "--json"))
    assert (report["users"], report["interactions"], report["unscrubbed_spools"]) == (3, 0, [])
    listed = json.loads(_run(home, "--list", "--json"))
    assert [row["state"] for row in listed] == ["done"]
    assert "alice" not in json.dumps(listed)


def test_nobody_named_is_an_error_that_says_what_to_give(home: Path) -> None:
    with pytest.raises(BadInputError, match="--user ID"):
        _run(home)


def test_a_list_that_is_no_text_is_an_error(home: Path, tmp_path: Path) -> None:
    users = tmp_path / "users.txt"
    users.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match="UTF-8"):
        _run(home, "--users-file", str(users))
