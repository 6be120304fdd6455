"""The documentation's Python and its commands are run as they stand, against a real edge and a home in which their ids exist."""

import contextlib
import csv
import gzip
import io
import lzma
import shlex
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from penstock.cli import build_cli
from penstock.edge.run_file import RunningEdge
from penstock.records.clock import utc_now
from penstock.records.release import ReleaseState
from penstock.records.turn import TurnState
from penstock.registry.registry import Registry
from tests.docs.test_snippets import REPOSITORY, command_lines, snippets
from tests.edge.live_server import wait_for
from tests.edge.test_process import running_edge
from tests.edge.upstream import running_upstream
from tests.outcomes.clone import Clone
from tests.registry.examples import a_checkpoint, a_release, a_turn

# Those that go on until they are stopped have tests of their own; the last ones speak to other machines.
NOT_RUN = (
    "penstock up",
    "penstock demo",
    "penstock edge",
    "penstock worker",
    "--edge https://edge.example.com",
    "--engine spark://",
)
LOG = {
    "programmer_id": "7", "task_name": "sum_product", "timestamp": "12.5", "model": "GPT-4o (chat)", "response": "Use sum().",
    "request": "[{'role': 'user', 'content': 'how do I add numbers?'}]", "copy_events": "[]",
}  # fmt: skip

OUTCOMES = """
[pulls.help_desk]
url = "sqlite:///{folder}/desk.db"
query = "SELECT * FROM tickets"
watermark = "updated_at"

[[pulls.help_desk.feedback]]
name = "outcome.resolved"
keys.ticket_id = {{ column = "ticket" }}
value = {{ column = "status", map = {{ solved = 1 }} }}
occurred_at = {{ column = "solved_at", parse = "iso" }}

[webhooks.help_desk]
secret_env = "HELP_DESK_SECRET"
signature_header = "X-Signature"

[[webhooks.help_desk.feedback]]
name = "outcome.resolved"
key = "ticket_id"
target_path = "ticket.id"
value_path = "ticket.status"
values = {{ reopened = 0.0 }}

[outcomes.solved]
keys = ["ticket_id"]
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, RunningEdge]]:
    """A folder as a reader would have it, and the edge that runs on its home."""
    folder = tmp_path_factory.mktemp("house")
    home = folder / ".penstock"
    home.mkdir()
    _fill_registry(home)
    _write_files(folder)
    with running_upstream() as upstream:
        (home / "penstock.toml").write_text(
            f'[gateway]\ndefault_upstream = "big"\n[gateway.upstreams.big]\nbase_url = "{upstream.base_url}"\n'
            '[signals.apology]\npython = "mine.py:judge"\ncolumns = ["response_text"]\n'
        )
        (home / "mine.py").write_text("\n".join(snippet.values[0] for snippet in snippets("py")))
        with (home / "penstock.toml").open("a") as file:
            file.write(OUTCOMES.format(folder=folder))
        with running_edge(home, HELP_DESK_SECRET="a secret that both know") as (_process, running):
            yield folder, running


def _write_outcomes(folder: Path) -> None:
    """A help desk's table, a clone and test reports, as the page on where outcomes come from names them."""
    with contextlib.closing(sqlite3.connect(folder / "desk.db")) as database:
        database.execute("CREATE TABLE tickets (id, ticket, status, solved_at, updated_at)")
        database.execute("INSERT INTO tickets VALUES (1, 'T-1', 'solved', '2026-03-01T10:00:00Z', '2026-03-01T10:00:05Z')")
        database.commit()
    clone = Clone(folder / "repository")
    clone.commit("First")
    clone.git("tag", "v1.2.0")
    clone.commit("Second\n\nPenstock-Request: r_4c1f\n", a__py="x = 1\n")
    (mapping,) = (snippet.values[0] for snippet in snippets("toml") if snippet.values[0].startswith("# tickets.toml"))
    (rows,) = (snippet.values[0] for snippet in snippets("csv"))
    (folder / "tickets.toml").write_text(mapping)
    (folder / "tickets.csv").write_text(rows)
    (folder / "build").mkdir()
    for name in ("report.xml", "build/*.xml"):  # no shell expands what a test types
        (folder / name).write_text('<testsuite><testcase name="a"/></testsuite>')


def _fill_registry(home: Path) -> None:
    registry = Registry(f"sqlite:///{home / 'registry.db'}")
    registry.migrate()
    stable, candidate = a_checkpoint("c_stable"), a_checkpoint("c_0123456789abcdef")
    for checkpoint in (stable, candidate):
        registry.checkpoints.put(checkpoint)
    registry.routes.set_stable("tab", candidate.checkpoint_id, utc_now())
    release_id = "r_0123456789abcdef"
    registry.releases.create(
        a_release(release_id, route="tab", checkpoint_id=candidate.checkpoint_id, stable_checkpoint_id=stable.checkpoint_id)
    )
    for state in (ReleaseState.CANARY, ReleaseState.LIVE):
        registry.releases.transition(release_id, state, at=utc_now(), evidence={})
    registry.turns.create(a_turn("t_0123456789abcdef", state=TurnState.RUNNING))
    registry.close()


def _write_files(folder: Path) -> None:
    (folder / "captured").mkdir()
    golden = REPOSITORY / "tests" / "golden" / "otlp"
    shutil.copy(golden / "genai_openai-1.3b0_span_and_event" / "v1_traces.03_tools.pb", folder / "captured" / "v1_traces.01.pb")

    logs = (golden / "genai_openai-1.3b0_span_and_event" / "v1_logs.01.pb").read_bytes()
    (folder / "captured" / "v1_logs.01.pb.gz").write_bytes(gzip.compress(logs))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(LOG))
    writer.writeheader()
    writer.writerow(LOG)
    for name in ("chat_data.csv.xz", "chat.csv.xz"):
        (folder / name).write_bytes(lzma.compress(text.getvalue().encode()))
    shutil.copytree(REPOSITORY / "examples", folder / "examples")
    _write_exports(folder)
    _write_outcomes(folder)


def _write_exports(folder: Path) -> None:
    """Exports of other tools, and a warehouse, as the page on replay names them."""
    exports = REPOSITORY / "tests" / "replay" / "exports"
    for tool, pattern in (("langfuse", "langfuse_blob_*"), ("openai", "openai_batch_*")):
        (folder / "exports" / tool).mkdir(parents=True)
        for export in exports.glob(pattern):
            shutil.copy(export, folder / "exports" / tool)
    with contextlib.closing(sqlite3.connect(folder / "warehouse.db")) as database:
        database.execute("CREATE TABLE llm_calls (id, at, question, answer, updated_at)")
        database.execute("INSERT INTO llm_calls VALUES (1, '2026-03-01T10:00:00Z', 'How?', 'So.', '2026-03-01T10:00:05Z')")
        database.commit()
    (folder / "growing").mkdir()
    row = {"id": 2, "at": "2026-03-01T10:00:00Z", "question": "How?", "answer": "So.", "updated_at": "2026-03-01T10:00:05Z"}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), folder / "growing" / "a.parquet")
    (folder / "warehouse.toml").write_text(
        '[source]\nname = "warehouse"\n[interaction]\nid = { column = "id" }\nstarted_at = { column = "at", parse = "iso" }\n'
        'input_messages = { column = "question" }\noutput = { column = "answer" }\n'
    )


@pytest.mark.parametrize("text", snippets("python"))
def test_python_runs_against_a_real_edge(text: str, house: tuple[Path, RunningEdge]) -> None:
    _folder, running = house
    pointed = text.replace("http://127.0.0.1:4318", running.url).replace("127.0.0.1:4317", f"127.0.0.1:{running.grpc_port}")
    assert pointed != text, "it names no edge"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(pointed, "snippet", "exec"), {"__name__": "snippet"})
    assert printed.getvalue().strip()


def test_the_first_request_of_the_readme_is_shown(house: tuple[Path, RunningEdge]) -> None:
    folder, running = house
    (text,) = (snippet.values[0] for snippet in snippets("python") if "gen_ai.conversation.id" in snippet.values[0])
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text.replace("http://127.0.0.1:4318", running.url), "snippet", "exec"), {"__name__": "snippet"})
    home = ["--home", str(folder / ".penstock")]

    def is_shown() -> bool:
        CliRunner().invoke(build_cli("signals"), ["signals", "run", *home], catch_exceptions=False)
        shown = CliRunner().invoke(build_cli("show"), ["show", "--session", "first", *home], catch_exceptions=False)
        return "Hello?" in shown.output and "Hi!" in shown.output

    wait_for(is_shown)


def runnable_lines() -> list[Any]:
    """Every command that ends; those on keys come last, since with the first key the others would need one."""
    lines = [line for line in command_lines() if not any(word in line.values[0] for word in NOT_RUN)]
    return sorted(lines, key=lambda line: line.values[0].startswith("penstock keys"))


@pytest.mark.parametrize("line", runnable_lines())
def test_a_command_runs_as_it_is_printed(line: str, house: tuple[Path, RunningEdge], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _running = house
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PENSTOCK_HOME", raising=False)
    _penstock, name, *rest = shlex.split(line, comments=True)
    result = CliRunner().invoke(build_cli(name), [name, *rest], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert result.output.strip()
