"""Settling spans into interactions, against a real lake."""

import random
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.formats.message_events import CONTENT_EVENT
from penstock.ingest.settle import Settled, settle_interactions
from penstock.lake.lake import Lake
from penstock.records.clock import WriterClock, utc_now
from penstock.records.ids import interaction_id
from penstock.records.interaction import Interaction
from penstock.settings import LakeSettings
from tests.rows import make_span, trace


def interactions(lake: Lake) -> list[Interaction]:
    return lake.to_records("interactions", lake.current("interactions").order_by("started_at", "interaction_id"))


def test_new_spans_become_interactions_and_a_second_run_adds_nothing(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "root", kind="agent", user_id="u_1"), make_span(trace(0), "call", "root", start=1)])
    assert settle_interactions(lake, clock) == Settled(spans=2, created=1)
    version = lake.version("interactions")
    assert settle_interactions(lake, clock) == Settled()
    assert lake.version("interactions") == version
    assert [row.user_id for row in interactions(lake)] == ["u_1"]


def test_a_parent_that_comes_late_amends_what_it_adds_to(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "call", "root", start=1), make_span(trace(1), "other")])
    settle_interactions(lake, clock)
    lake.append("spans", [make_span(trace(0), "root", kind="agent", session_id="s", user_id="u_1")])
    assert settle_interactions(lake, clock) == Settled(spans=1, revised=1)
    row = next(row for row in interactions(lake) if row.span_id == "call")
    assert (row.session_id, row.user_id, row.revision) == ("s", "u_1", 1)


def test_content_that_comes_late_as_an_event_amends(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "call")])
    settle_interactions(lake, clock)
    lake.append(
        "spans", [make_span(trace(0), "call", kind="event", name=CONTENT_EVENT, response_text="hi", content_present=True)]
    )
    settle_interactions(lake, clock)
    (row,) = interactions(lake)
    assert (row.response_text, row.content_present, row.revision) == ("hi", True, 1)


def test_a_late_event_that_brings_text_and_nothing_else_amends(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "call", content_present=True, prompt_text="hello")])
    settle_interactions(lake, clock)
    late = make_span(trace(0), "call", kind="event", name=CONTENT_EVENT, response_text="hi", content_present=True)
    lake.append("spans", [late])
    assert settle_interactions(lake, clock) == Settled(spans=1, revised=1)
    lake.append("spans", [late])
    assert settle_interactions(lake, clock) == Settled(spans=1, unchanged=1)
    (row,) = interactions(lake)
    assert (row.prompt_text, row.response_text, row.revision) == ("hello", "hi", 1)


def test_a_late_tool_amends_and_leaves_the_texts(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "call", prompt_text="hello", response_text="hi")])
    settle_interactions(lake, clock)
    tool = make_span(trace(0), "tool", "call", kind="tool", start=1, tool_calls='[{"id":"t","name":"look"}]')
    lake.append("spans", [tool])
    assert settle_interactions(lake, clock) == Settled(spans=1, revised=1)
    (row,) = interactions(lake)
    assert (row.prompt_text, row.response_text, row.tool_calls) == ("hello", "hi", tool.tool_calls)


def test_a_settle_that_is_behind_takes_each_commit_as_one_that_keeps_up(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "call")])
    lake.append("spans", [make_span(trace(0), "tool", "call", kind="tool", tool_calls='[{"id":"t","name":"look"}]')])
    assert settle_interactions(lake, clock, max_rows=1) == Settled(spans=2, created=1, revised=1)
    first, second = sorted(lake.to_records("interactions", lake.revisions("interactions")), key=lambda row: row.revision)
    assert (first.tool_calls, second.tool_calls) == (None, '[{"id":"t","name":"look"}]')


def test_spans_that_were_compacted_before_they_were_settled_come_once(home: Path, clock: WriterClock) -> None:
    lake = Lake(home / "lake", LakeSettings(compact_after_files=2))
    lake.create()
    for number in range(3):
        lake.append("spans", [make_span(trace(number), "call"), make_span(trace(0), f"tool {number}", "call", kind="tool")])
    lake.maintain(utc_now())
    assert len(lake.snapshot("spans").files) == 1
    assert settle_interactions(lake, clock) == Settled(spans=6, created=3)
    assert [row.revision for row in interactions(lake)] == [0, 0, 0]


def test_a_span_sent_again_changes_nothing(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "call", tags={"b": "1", "a": "2"})])
    settle_interactions(lake, clock)
    lake.append("spans", [make_span(trace(0), "call", tags={"b": "1", "a": "2"}, known_at=clock.known_at() + timedelta(hours=1))])
    assert settle_interactions(lake, clock) == Settled(spans=1, unchanged=1)
    assert lake.revisions("interactions").count().to_pyarrow().as_py() == 1


def test_the_applications_view_of_a_call_is_hidden_once_the_gateways_arrives(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "app", response_id="r", user_id="u_1")])
    settle_interactions(lake, clock)
    lake.append("spans", [make_span(trace(0), "gw", "app", start=0.5, dialect="gateway", response_id="r", checkpoint_id="c_1")])
    assert settle_interactions(lake, clock) == Settled(spans=1, created=1, revised=1)
    (row,) = interactions(lake)
    assert (row.span_id, row.user_id, row.checkpoint_id) == ("gw", "u_1", "c_1")
    hidden = lake.revisions("interactions").filter(lambda rows: rows.merged_into.notnull())
    assert [other.interaction_id for other in lake.to_records("interactions", hidden)] == [interaction_id(trace(0), "app")]


def test_an_uninteresting_commit_still_moves_the_watermark(lake: Lake, clock: WriterClock) -> None:
    lake.append("spans", [make_span(trace(0), "x", kind="other")])
    assert settle_interactions(lake, clock) == Settled(spans=1)
    assert settle_interactions(lake, clock) == Settled()


def test_any_order_of_arrival_in_any_chunks_ends_in_the_same_interactions(home: Path, lake: Lake, clock: WriterClock) -> None:
    spans = []
    for number in range(12):
        spans += [
            make_span(trace(number), "root", kind="agent", session_id=f"session {number % 3}", user_id="u_1", start=number),
            make_span(trace(number), "app", "root", response_id=f"r{number}", start=number),
            make_span(trace(number), "gw", "app", dialect="gateway", response_id=f"r{number}", start=number + 0.1),
            make_span(trace(number), "app", kind="event", name=CONTENT_EVENT, response_text="x", start=number),
        ]
    lake.append("spans", spans)
    settle_interactions(lake, clock)
    other = Lake(home / "other", LakeSettings())
    other.create()
    random.Random(3).shuffle(spans)
    for first in range(0, len(spans), 7):
        other.append("spans", spans[first : first + 7])
        if first % 2:
            settle_interactions(other, clock, max_rows=5)
    settle_interactions(other, clock, max_rows=5)

    def comparable(rows: list[Interaction]) -> list[dict[str, object]]:
        names = [name for name in Interaction.__struct_fields__ if name not in ("known_at", "revision")]
        return [{name: getattr(row, name) for name in names} for row in rows]

    assert comparable(interactions(other)) == comparable(interactions(lake))
    assert len(interactions(lake)) == 12


def test_a_run_that_died_before_its_commit_is_done_again_by_the_next(
    home: Path, lake: Lake, clock: WriterClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append("spans", [make_span(trace(0), "call")])

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lake, "append", die)
        with pytest.raises(KeyboardInterrupt):
            settle_interactions(lake, clock)
    fresh = Lake(home / "lake", LakeSettings())
    assert settle_interactions(fresh, clock) == Settled(spans=1, created=1)
    assert len(interactions(fresh)) == 1
