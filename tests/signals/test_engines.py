"""Every engine gives the same signals: one class of tests, run on DuckDB and on a Spark cluster of two workers."""

import json
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from penstock.app import Penstock
from penstock.cli import build_cli
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock
from penstock.records.feedback import Feedback
from penstock.records.interaction import Interaction
from penstock.records.signal import Signal
from penstock.settings import LakeSettings, Settings, SignalSettings
from penstock.signals.definition import Definition
from penstock.signals.definitions import all_definitions
from penstock.signals.engine import Engine, LakeEngine
from penstock.signals.run import run_signals
from penstock.signals.spark_engine import spark_engine
from tests.rows import LATER, make_feedback, make_interaction, matched
from tests.spark import running_cluster

QUESTIONS = (
    "how do I sort a list in python", "how can I sort a python list", "and what about a dict?", "no, I meant descending order",
    "thanks, that works!", "sort it with numbers 3 and 4", "sort it with numbers 5 and 6", "", "naïve café 😀 \u202e reversed",
    "that is wrong, the answer is 42", "'; DROP TABLE x; --", "x" * 5_000, "what do you mean?", "how do I sort a list in python",
)  # fmt: skip
ANSWERS = ("use sorted()", "I am sorry, I cannot do that.", "naïve 😀 answer", "line\nline\n```python\nsorted(x)\n```", "", None)
REPORTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("copy", {}), ("copied", {"value": 0.0}), ("accepted", {}), ("rejected", {}), ("edited", {"text": "use sorted(x) 😀"}),
    ("edited", {"text": "  use   sorted() "}), ("silent", {}), ("thumbs_up", {}), ("stars", {"value": 4.0}),
    ("stars", {"value": 9.0}),
    ("comment", {"text": "naïve"}), ("retention", {"value": 0.5, "metadata": {"delay_s": "30"}}), ("dwell", {"value": 3.5}),
    ("retention", {"text": "use sorted", "metadata": {"delay_s": "120.0"}}), ("retention", {"value": 2.0}), ("offered", {}),
    ("sent", {"text": "“use” sorted(list)"}), ("sent", {}), ("dwell", {"value": 90_000.0}), ("rating", {"text": "too long"}),
    ("regenerate", {}), ("ignored", {}), ("partial", {"value": 0.25}), ("outcome.solved", {"value": 1.0}),
    ("outcome.reopened", {"value": 1.0}),
    ("helpful", {"value": 2.0}),
    ("acceptance", {"text": "offered"}), ("score", {"value": 0.5, "metadata": {"minimum": "0", "maximum": "10"}}),
)  # fmt: skip
CALLS = (
    '[{"id":"a","name":"look","arguments":{"at":"naïve 😀"}}]',
    '[{"id":"b","name":"look","arguments":{}},{"id":"c","name":"look","arguments":{},"error":"timeout"}]',
)
TOLD = '[{"role":"tool","parts":[{"type":"tool_call_response","id":"a","response":"Error: no such 😀"}]}]'
OWN = {
    "wordy": SignalSettings(sql="SELECT interaction_id, length(response_text) AS value, prompt_text AS asked FROM interactions"),
    "turns": SignalSettings(sql="SELECT session_id, count(*) AS value FROM interactions GROUP BY session_id", target="session"),
    "shouted": SignalSettings(python="mine.py:judge"),
}


def traffic(seed: int) -> tuple[list[Interaction], list[Feedback]]:
    chance = random.Random(seed)
    rows, reports = [], []
    start = 0.0
    for number in range(240):
        start += chance.choice((5.0, 20.0, 40.0, 3000.0))
        session = number // chance.randint(2, 5)
        row = make_interaction(
            number,
            start=start,
            session_id=f"c{session}",
            user_id=chance.choice((f"u{session // 2}", None)),
            application=chance.choice(("chat", "code")),
            prompt_text=chance.choice((*QUESTIONS, None)),
            response_text=chance.choice(ANSWERS),
            finish_reason=chance.choice(("stop", "length", "tool_calls", None)),
            error_type=chance.choice((None, None, None, "timeout")),
            tool_calls=chance.choice((None, None, None, *CALLS)),
            parameters=chance.choice((None, None, '{"tools":[{"name":"look"}]}')),
            input_messages=chance.choice((None, TOLD)),
            exposure=chance.choice(("served", "served", "replay")),
        )
        rows.append(row)
        for name, given in chance.sample(REPORTS, chance.randint(0, 3)):
            reports.append(matched(name, row, happened=chance.uniform(0, 90_000), **given))
    for number in (240, 241):  # somebody who comes back to the same
        asked = {"session_id": f"back{number}", "user_id": "back", "prompt_text": QUESTIONS[number - 240], "response_text": "?"}
        rows.append(make_interaction(number, start=start + number * 10, **asked))
    for number in (242, 243):  # somebody who has the same answered anew
        asked = {"session_id": "anew", "user_id": "anew", "prompt_text": QUESTIONS[0], "response_text": "?"}
        rows.append(make_interaction(number, start=start + number * 20, **asked))
    for session in range(0, 60, 7):
        rating = make_feedback(
            "rating", "session", f"c{session}", value=1.0, status="matched", session_id=f"c{session}", revision=1
        )
        reports.append(rating)
    for number in range(0, 230, 9):
        shares = {rows[number].interaction_id: 0.25, rows[number + 5].interaction_id: 0.75}
        given = {"key": "ticket", "value": 1.0, "status": "attributed", "revision": 1, "attribution": shares}
        reports.append(make_feedback("outcome.solved", "key", str(number), **given))
    return rows, reports


def amended(rows: list[Any]) -> list[Any]:
    """Some of them as they turned out to be: in another session, with other words, or of another user."""
    changes = [{"session_id": "c7"}, {"prompt_text": QUESTIONS[0]}, {"user_id": "u3"}, {"response_text": None}]
    return [
        msgspec.structs.replace(row, revision=row.revision + 1, **changes[place % len(changes)])
        for place, row in enumerate(rows[3:240:17])
    ]


class EngineContract:
    """What every engine does."""

    @pytest.fixture
    def definitions(self, home: Path) -> dict[str, Definition]:
        (home / "mine.py").write_text("def judge(row):\n    return sum(map(str.isupper, row['prompt_text'])) / 7\n")
        return all_definitions(OWN, home)

    def opened(self, lake: Lake) -> AbstractContextManager[Engine]:
        raise NotImplementedError

    def signals(self, place: Path, definitions: dict[str, Definition], rows: list[Any], reports: list[Any]) -> list[Signal]:
        lake = Lake(place, LakeSettings())
        lake.create()
        with self.opened(lake) as engine:
            for part in range(2):
                lake.append("interactions", rows[part::2])
                self.run(lake, definitions, engine)
            for part in range(2):  # a report is matched once its interaction is there, and never before
                lake.append("feedback", reports[part::2])
                self.run(lake, definitions, engine)
            lake.append("interactions", amended(rows))
            self.run(lake, definitions, engine)
        return sorted(lake.to_records("signals", lake.current("signals")), key=lambda row: row.signal_id)

    def run(self, lake: Lake, definitions: dict[str, Definition], engine: Engine | None) -> dict[str, int]:
        as_of = LATER + timedelta(days=60)
        return run_signals(lake, WriterClock(lambda: as_of), definitions=definitions, engine=engine, as_of=as_of)

    def test_the_signals_are_those_of_one_run_on_duckdb(self, tmp_path: Path, definitions: dict[str, Definition]) -> None:
        rows, reports = traffic(1)
        found = self.signals(tmp_path / "engine", definitions, rows, reports)
        lake = Lake(tmp_path / "once", LakeSettings())
        lake.create()
        lake.append("interactions", [*rows, *amended(rows)])
        lake.append("feedback", reports)
        self.run(lake, definitions, None)
        expected = sorted(lake.to_records("signals", lake.current("signals")), key=lambda row: row.signal_id)
        held = [row for row in found if "withdrawn" not in row.evidence]
        assert [row.signal_id for row in held] == [row.signal_id for row in expected]
        for one, other in zip(held, expected, strict=True):
            assert comparable(one) == comparable(other)
            assert one.value == (None if other.value is None else pytest.approx(other.value, abs=1e-9))
        found_by = {row.definition.partition("@")[0] for row in expected}
        assert found_by >= set(definitions) - {"other_feedback"}, "some definition found nothing in this traffic"
        assert {row.evidence["reading"] for row in expected if row.name == "abandonment"} == {"ambiguous", "good", "negative"}

    def test_nothing_to_read_is_no_signal(self, tmp_path: Path, definitions: dict[str, Definition]) -> None:
        assert self.signals(tmp_path / "empty", definitions, [], []) == []


def comparable(row: Signal) -> dict[str, Any]:
    """A signal without its value, which may differ in the last digit, and without how it came to be."""
    left_out = ("value", "known_at", "revision", "occurred_at")
    told = {name: getattr(row, name) for name in row.__struct_fields__ if name not in left_out}
    happened = row.evidence.get("happened_at", row.occurred_at.isoformat())
    return {**told, "evidence": {**row.evidence, "happened_at": happened}}


class TestDuckDB(EngineContract):
    """On DuckDB, within the process."""

    def opened(self, lake: Lake) -> AbstractContextManager[Engine]:
        return nullcontext(LakeEngine(lake))


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The master of a cluster of two workers."""
    with running_cluster() as master:
        yield master


@pytest.mark.slow
@pytest.mark.timeout(600)  # seconds; a cluster starts, and some hundred jobs run on two cores
@pytest.mark.filterwarnings(
    "ignore:unclosed <socket:ResourceWarning"
)  # PySpark leaves what it read results from to the collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestSpark(EngineContract):
    """On a standalone cluster with two workers."""

    @pytest.fixture(autouse=True)
    def _on(self, cluster: str) -> None:
        self.master = cluster

    def opened(self, lake: Lake) -> AbstractContextManager[Engine]:
        loopback = {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": "4",
        }
        return spark_engine(lake, self.master, loopback)

    def test_signals_are_run_there_by_the_command(self, settings: Settings) -> None:
        penstock = Penstock(settings)
        rows, _ = traffic(2)
        penstock.lake.append("interactions", rows[:40])
        given = ("--spark", "spark.driver.host=127.0.0.1", "--spark", "spark.driver.bindAddress=127.0.0.1")
        arguments = ["signals", "run", "--home", settings.home, "--json", "--engine", self.master, *given]
        result = CliRunner().invoke(build_cli("signals"), arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        written = json.loads(result.output[result.output.index("{") :])
        assert written["total"] == penstock.lake.revisions("signals").count().to_pyarrow().as_py() > 0
        assert run_signals(penstock.lake, penstock.clock) == {}, "nothing is left for the other engine"


def test_an_engine_that_is_none_is_refused(lake: Lake) -> None:
    with pytest.raises(Exception, match="is no Spark master"), spark_engine(lake, "sparrow://x"):
        pass
