"""`penstock replay`: what is asked for is told apart, and what cannot be is refused with what to do."""

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from penstock.cli import build_cli
from penstock.errors import ConfigurationError
from tests.replay.exported_rows import EXPORTS
from tests.replay.receiver import Receiver, receiving

pytestmark = pytest.mark.usefixtures("home")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(build_cli("replay"), ["replay", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name files, or a query"),
        (["--sql", "SELECT 1"], "need --mapping"),
        (["--sql", "SELECT 1", "--mapping", "openai"], "needs --database"),
        (["a.jsonl", "--sql", "SELECT 1", "--database", "sqlite://"], "two replays"),
        (["a.parquet", "--watermark", "at"], "need --mapping"),
        (["a.jsonl", "--mapping", "langfus"], "none of the ready mappings: langfuse"),
        (["a.jsonl", "--mapping", "mlflow", "--exposure", "users"], "none of served"),
        (["a.jsonl", "--mapping", "mlflow", "--name", "thumb"], "user-thumb=rating"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], message: str, home: Path) -> None:
    with pytest.raises(ConfigurationError, match=message):
        run(*arguments, "--home", str(home))


def test_a_mapping_file_says_by_itself_what_options_would(home: Path, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("[source]\n")
    with pytest.raises(ConfigurationError, match="ready mappings"):
        run(str(EXPORTS), "--mapping", str(tmp_path / "m.toml"), "--application", "desk", "--home", str(home))


@pytest.fixture
def receiver() -> object:
    with receiving() as running:
        yield running


def test_both_files_of_a_batch_are_one_replay(home: Path, receiver: Receiver) -> None:
    files = [str(path) for path in sorted(EXPORTS.glob("openai_batch_*"))]
    options = ["--mapping", "openai", "--edge", receiver.url, "--home", str(home)]
    output = run(*files, *options)
    assert "1 sent, 0 sent before, 0 reports, 0 reported before, 0 rejected" in output
    assert "2 passed over: questions of a batch: sent with their answers" in output
    again = json.loads(run(*reversed(files), *options, "--json"))
    assert (again["sent"], again["skipped"]) == (0, 1)


def test_a_database_may_be_named_outside_the_command_line(
    home: Path, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite3.connect(tmp_path / "log.db").execute("VACUUM").connection.close()  # no file is made where there is none
    monkeypatch.setenv("PENSTOCK_DATABASE", f"sqlite:///{tmp_path / 'log.db'}")
    row = """'{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}' AS request, '{"id": "c"}' AS response"""
    query = f"SELECT {row}, '2026-03-01T10:00:00Z' AS timestamp"
    options = ["--mapping", "openai", "--edge", receiver.url, "--home", str(home), "--json"]
    assert json.loads(run("--sql", query, *options))["sent"] == 1
    assert json.loads(run("--sql", query, "--watermark", "timestamp", *options))["sent"] == 1
    assert json.loads(run("--sql", query, "--watermark", "timestamp", *options))["sent"] == 0
    assert len({span.span_id for span in receiver.spans()}) == 1
