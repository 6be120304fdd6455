"""A table of outcomes is replayed through a real edge and finds, by their business keys, the interactions in the lake."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet
import pytest
import sqlalchemy
from typer.testing import CliRunner

from penstock.app import Penstock
from penstock.assembly import build_edge_services
from penstock.cli import build_cli
from penstock.edge.application import build_edge_app
from penstock.ingest.settle import settle_interactions
from penstock.ingest.settle_feedback import settle_feedback
from penstock.ingest.settle_outcomes import outcome_settling
from penstock.outcome_settings import OutcomeSettings
from penstock.policy_settings import PolicySettings, RedactSettings
from penstock.records.feedback import Feedback
from penstock.settings import Settings
from penstock.signals.run import run_signals
from tests.edge.live_server import serve

CALLS = """at,question,answer,ticket
2026-03-01T08:00:00Z,How do I reset it?,Hold the button.,7
2026-03-01T08:10:00Z,And then?,Wait.,7
2026-03-01T08:20:00Z,Where is my order?,On its way.,8
"""
CALLS_MAPPING = """
[source]
name = "calls"

[interaction]
exposure = "served"
started_at = { column = "at", parse = "iso" }
input_messages = { column = "question" }
output = { column = "answer" }
keys.ticket_id = { column = "ticket" }
"""
OUTCOMES = """id,ticket,status,comment,solved_at
1,7,solved,thanks,2026-03-01T09:00:00Z
2,8,reopened,,2026-03-01T09:30:00Z
3,,solved,,2026-03-01T09:30:00Z
4,9,open,,
5,8,solved,,soon
6,8,unheard-of,,2026-03-01T09:45:00Z
"""
OUTCOMES_MAPPING = """
[source]
name = "tickets"
id = { column = "id" }

[[feedback]]
name = "outcome.resolved"
keys.ticket_id = { column = "ticket" }
when = { column = "solved_at" }
value = { column = "status", map = { solved = 1, reopened = 0 } }
text = { column = "comment" }
occurred_at = { column = "solved_at", parse = "iso" }
"""


class House:
    """A home with an edge, and what lies in its lake once everything was settled."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.stores = Penstock(settings)
        self.folder = folder
        self._url = ""

    @contextmanager
    def edge(self) -> Iterator[None]:
        services = build_edge_services(self.stores.settings, 0)
        try:
            with serve(build_edge_app(services.door, services.registry, self.stores.settings, environment={})) as self._url:
                yield
        finally:
            services.close(10.0)

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def replay(self, *arguments: str, mapping: str) -> Any:
        typed = ["replay", *arguments, "--mapping", self.write("mapping.toml", mapping)]
        typed += ["--edge", self._url, "--home", str(self.stores.home), "--json"]
        result = CliRunner().invoke(build_cli("replay"), typed, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    def settle(self) -> None:
        lake, clock = self.stores.lake, self.stores.clock
        settle_interactions(lake, clock, price=lambda *_: None, sampling=self.stores.sampling)
        settle_feedback(lake, clock, 168.0, outcomes=outcome_settling(self.stores.settings))
        run_signals(lake, clock)

    def reports(self) -> list[Feedback]:
        lake = self.stores.lake
        return sorted(lake.to_records("feedback", lake.current("feedback")), key=lambda row: (row.occurred_at, row.name))

    def signals(self) -> set[tuple[str, float, str]]:
        """Of the outcome: its name, its value and what was asked in the interaction that it is about."""
        lake = self.stores.lake
        asked = {row.interaction_id: row.prompt_text for row in lake.to_records("interactions", lake.current("interactions"))}
        signals = lake.to_records("signals", lake.current("signals"))
        return {(row.name, row.value, asked[row.interaction_id]) for row in signals if row.name == "outcome.resolved"}


@pytest.fixture
def house(settings: Settings, tmp_path: Path) -> House:
    changed = msgspec.structs.replace(
        settings,
        policy=PolicySettings(redact=RedactSettings(hashed_keys=["ticket_id"])),
        edge=msgspec.structs.replace(settings.edge, flush_interval_s=0.05),
        outcomes={"resolved": OutcomeSettings(keys=["ticket_id"], window_h=168.0, rule="last")},
    )
    return House(changed, tmp_path)


FOUND = {("outcome.resolved", 1.0, "And then?"), ("outcome.resolved", 0.0, "Where is my order?")}


def test_outcomes_find_their_interactions_by_hashed_keys_and_bad_rows_are_told_by_number(house: House) -> None:
    with house.edge():
        house.replay(house.write("calls.csv", CALLS), mapping=CALLS_MAPPING)
        report = house.replay(house.write("outcomes.csv", OUTCOMES), mapping=OUTCOMES_MAPPING)
    assert (report["sent"], report["feedback"]) == (0, 2)
    assert [(refused["row"], refused["reason"]) for refused in report["rejected"]] == [
        (3, "feedback.keys.ticket_id: it is empty"),
        (5, "feedback.occurred_at: text of 4 characters is no ISO 8601 time"),
        (6, "feedback.value: text of 10 characters is none of the words in `map`, and no number"),
    ]
    assert report["passed_over"] == {"nothing to report: no [[feedback]] applies": 1}
    house.settle()
    assert house.signals() == FOUND
    assert all(row.target_id.startswith("k_") for row in house.reports())
    assert house.reports()[0].text == "thanks"


def test_replayed_again_nothing_is_added_whatever_the_file_is_called(house: House) -> None:
    calls, outcomes = house.write("calls.csv", CALLS), house.write("outcomes.csv", OUTCOMES)
    with house.edge():
        house.replay(calls, mapping=CALLS_MAPPING)
        house.replay(outcomes, mapping=OUTCOMES_MAPPING)
        again = house.replay(outcomes, mapping=OUTCOMES_MAPPING)
        assert (again["feedback"], again["feedback_skipped"]) == (0, 2)
        assert house.replay(outcomes, "--restart", mapping=OUTCOMES_MAPPING)["feedback"] == 2
    house.settle()
    with house.edge():
        longer = house.write("outcomes-2.csv", "id,ticket,status,comment,solved_at\n" + "".join(_reversed(OUTCOMES)))
        house.replay(longer, mapping=OUTCOMES_MAPPING)
    house.settle()
    assert len(house.reports()) == 2
    assert house.signals() == FOUND


def _reversed(text: str) -> list[str]:
    return [line + "\n" for line in reversed(text.splitlines()[1:])]


def test_a_row_without_an_id_is_what_it_reports(house: House) -> None:
    mapping = OUTCOMES_MAPPING.replace('id = { column = "id" }', "")
    with house.edge():
        house.replay(house.write("calls.csv", CALLS), mapping=CALLS_MAPPING)
        house.replay(house.write("outcomes.csv", OUTCOMES), mapping=mapping)
        house.replay(house.write("more.csv", OUTCOMES + "7,7,reopened,,2026-03-01T11:00:00Z\n"), mapping=mapping)
    house.settle()
    assert [(row.value, row.status) for row in house.reports()] == [(1.0, "superseded"), (0.0, "attributed"), (0.0, "attributed")]
    assert house.signals() == {("outcome.resolved", 0.0, question) for question in ("And then?", "Where is my order?")}


def test_a_query_is_read_on_from_its_watermark(house: House) -> None:
    url = f"sqlite:///{house.folder / 'desk.db'}"
    engine = sqlalchemy.create_engine(url)
    options = ["--sql", "SELECT * FROM tickets", "--database", url, "--watermark", "id"]
    with engine.begin() as connection, house.edge():
        connection.execute(sqlalchemy.text("CREATE TABLE tickets (id, ticket, status, comment, solved_at)"))
        connection.execute(sqlalchemy.text("INSERT INTO tickets VALUES (1, 7, 'solved', NULL, '2026-03-01T09:00:00Z')"))
        connection.commit()
        assert house.replay(*options, mapping=OUTCOMES_MAPPING)["feedback"] == 1
        with engine.begin() as another:
            another.execute(sqlalchemy.text("INSERT INTO tickets VALUES (2, 8, 'solved', NULL, '2026-03-01T09:00:00Z')"))
        again = house.replay(*options, mapping=OUTCOMES_MAPPING)
        assert (again["feedback"], again["feedback_skipped"]) == (1, 1)
    engine.dispose()
    assert len(house.reports()) == 2


def test_keys_out_of_a_float_column_join_with_those_of_a_csv(house: House) -> None:
    """As pandas writes whole numbers where some are missing."""
    rows = pa.table({"id": [1], "ticket": [8.0], "status": ["solved"], "comment": [None], "solved_at": ["2026-03-01T09:00:00Z"]})
    pyarrow.parquet.write_table(rows, house.folder / "outcomes.parquet")
    calls = pa.table(
        {"at": ["2026-03-01T08:10:00Z"], "question": ["By Parquet?"], "answer": ["Yes."], "ticket": pa.array([8.0], pa.float64())}
    )
    pyarrow.parquet.write_table(calls, house.folder / "calls.parquet")
    with house.edge():
        house.replay(house.write("calls.csv", CALLS), mapping=CALLS_MAPPING)
        house.replay(str(house.folder / "calls.parquet"), mapping=CALLS_MAPPING)
        house.replay(str(house.folder / "outcomes.parquet"), mapping=OUTCOMES_MAPPING)
    house.settle()
    assert house.signals() == {("outcome.resolved", 1.0, "Where is my order?")}
    lake = house.stores.lake
    by_ticket = [tuple(row.keys.values()) for row in lake.to_records("interactions", lake.current("interactions"))]
    assert len(by_ticket) == 4
    assert len(set(by_ticket)) == 2


def test_one_mapping_reports_on_the_row_itself_and_on_what_it_names(house: House) -> None:
    mapping = CALLS_MAPPING + (
        '[[feedback]]\nname = "rating"\nwhen = { column = "thumb" }\nvalue = { column = "thumb" }\n'
        '[[feedback]]\nname = "outcome.resolved"\nkeys.ticket_id = { column = "closes" }\nwhen = { column = "closes" }\n'
        'value = 1\noccurred_at = { column = "at", parse = "iso" }\n'
    )
    mixed = (
        "at,question,answer,ticket,thumb,closes\n"
        "2026-03-01T08:00:00Z,How do I reset it?,Hold the button.,7,1,\n"
        "2026-03-01T10:00:00Z,Close ticket 7,Closed.,8,-1,7\n"
    )
    with house.edge():
        report = house.replay(house.write("mixed.csv", mixed), mapping=mapping)
        assert (report["sent"], report["feedback"], report["rejected"]) == (2, 3, [])
    house.settle()
    assert house.signals() == {("outcome.resolved", 1.0, "How do I reset it?")}
    assert [(row.name, row.status) for row in house.reports()] == [
        ("rating", "matched"),
        ("outcome.resolved", "attributed"),
        ("rating", "matched"),
    ]
