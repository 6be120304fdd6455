"""Which signals make which functions vote, as the engine works it out."""

from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pytest

from penstock.labels.labelling_functions import LabellingFunction
from penstock.labels.vote_rows import Counting, Sources, patterns_of, patterns_sql, votes_sql

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FUNCTIONS = [
    LabellingFunction(name="between", signal="rating", votes="good", at_least=0.2, at_most=0.4),
    LabellingFunction(name="exact", signal="retry", votes="bad", evidence={"kind": "exact"}),
    LabellingFunction(name="high", signal="rating", votes="good", at_least=0.2),
]


def interaction(name, session="c", minutes=0.0, **fields):
    started = NOON + timedelta(minutes=minutes)
    given = {"interaction_id": name, "session_id": session, "application": "chat", "exposure": "served", "model_version": None}
    given |= {"prompt_version": None, "segment": None, "started_at": started, "ended_at": started}
    return {**given, **fields}


def signal(name, value, interaction=None, session=None, **fields):
    given = {"signal_id": f"{name}{value}", "interaction_id": interaction, "session_id": session, "name": name, "value": value}
    return {**given, "definition": f"{name}@1", "evidence": [], **fields}


SIGNALS = pa.schema(
    [
        *((name, pa.string()) for name in ("signal_id", "interaction_id", "session_id", "name", "definition")),
        ("value", pa.float64()),
        ("evidence", pa.map_(pa.string(), pa.string())),
    ]
)
LABELS = pa.schema(
    [
        *((name, pa.string()) for name in ("label_id", "interaction_id", "dimension", "annotator_kind", "supersedes")),
        ("value", pa.float64()),
        ("inclusion_probability", pa.float64()),
    ]
)


def votes(interactions, signals, labels=(), definitions=None, old_before=NOON, functions=FUNCTIONS):
    engine = duckdb.connect()
    engine.register("interactions", pa.Table.from_pylist(interactions))
    engine.register("signals", pa.Table.from_pylist(list(signals), SIGNALS))
    engine.register("labels", pa.Table.from_pylist(list(labels), LABELS))
    counting = Counting(exposures=["served"], definitions=definitions, old_before=old_before)
    sql = votes_sql(Sources(signals="signals", interactions="interactions", labels="labels"), functions, counting)
    rows = {row["interaction_id"]: row for row in engine.sql(sql).to_arrow_table().to_pylist()}
    return rows, patterns_of(engine.sql(patterns_sql(f"({sql})")).to_arrow_table())


@pytest.mark.parametrize(("value", "fired"), [(0.1, 0), (0.2, 0b101), (0.4, 0b101), (0.41, 0b100), (None, 0)])
def test_limits_are_included(value, fired):
    rows, _ = votes([interaction("i")], [signal("rating", value, "i")])
    assert rows["i"]["fired"] == fired


def test_a_family_of_signals_is_read_by_its_beginning():
    family = [LabellingFunction(name="kept", signal="retention.*", votes="good", at_least=0.5)]
    signals = [signal(name, 0.9, name) for name in ("retention", "retention.30s", "retentions", "rating")]
    turns = [interaction(one["name"], session=None) for one in signals]
    rows, _ = votes(turns, signals, functions=family)
    assert {name for name, row in rows.items() if row["fired"]} == {"retention", "retention.30s"}
    both, _ = votes(turns, signals, functions=[*family, *FUNCTIONS])
    assert {name: row["fired"] for name, row in both.items()} == {
        "retention": 1,
        "retention.30s": 1,
        "retentions": 0,
        "rating": 8,
    }


def test_evidence_has_to_say_what_the_function_asks_for():
    same, other = ([signal("retry", 0.9, "i", evidence=[("kind", kind)])] for kind in ("exact", "rephrase"))
    assert votes([interaction("i")], same)[0]["i"]["fired"] == 0b010
    assert votes([interaction("i")], other)[0]["i"]["fired"] == 0
    assert votes([interaction("i")], [signal("retry", 0.9, "i")])[0]["i"]["fired"] == 0


def test_a_signal_about_a_session_counts_for_its_last_interaction_beside_its_own():
    turns = [interaction("i", minutes=0), interaction("j", minutes=1), interaction("k", session=None)]
    rows, _ = votes(turns, [signal("rating", 0.9, None, "c"), signal("retry", 1.0, "j", evidence=[("kind", "exact")])])
    assert {name: row["fired"] for name, row in rows.items()} == {"i": 0, "j": 0b110, "k": 0}
    assert rows["j"]["signal_ids"] == ["rating0.9", "retry1.0"]
    assert {name: row["went_on"] for name, row in rows.items()} == {"i": True, "j": False, "k": False}


def test_what_is_not_served_or_not_in_force_is_left_out():
    turns = [interaction("i"), interaction("j", exposure="replay")]
    signals = [signal("rating", 0.9, "i"), signal("rating", 0.9, "j", signal_id="s")]
    assert set(votes(turns, signals)[0]) == {"i"}
    assert votes(turns, signals, definitions=["rating@2"])[0]["i"]["fired"] == 0


def label(name, value, kind="person", interaction="i", **fields):
    given = {"label_id": name, "interaction_id": interaction, "dimension": "good", "annotator_kind": kind, "value": value}
    return {**given, "supersedes": None, "inclusion_probability": 0.5, **fields}


@pytest.mark.parametrize(
    ("labels", "truth"),
    [
        ([label("a", 1.0)], 1),
        ([label("a", 1.0), label("b", 0.0)], -1),  # they do not agree
        ([label("a", 1.0), label("b", 0.0), label("c", 0.0)], 0),
        ([label("a", 1.0), label("b", 0.0, supersedes="a")], 0),
        ([label("a", 1.0, kind="judge")], -1),
        ([label("a", 1.0, dimension="funny")], -1),
    ],
)
def test_most_people_are_the_truth(labels, truth):
    rows, _ = votes([interaction("i")], [], labels)
    assert (rows["i"]["truth"], rows["i"]["drawn"]) == (
        truth,
        0.5 if any(one["dimension"] == "good" and one["annotator_kind"] == "person" for one in labels) else 1.0,
    )


def test_patterns_count_interactions_that_are_alike():
    turns = [interaction(f"i{place}", session=f"c{place}") for place in range(5)]
    turns.append(interaction("late", session="c", minutes=60, application=None))
    _, patterns = votes(turns, [signal("rating", 0.9, "i1"), signal("rating", 0.9, "i2", signal_id="s")])
    assert sorted(
        zip(patterns.application, patterns.fired.tolist(), patterns.times.tolist(), patterns.is_old.tolist(), strict=True)
    ) == [
        ("", 0, 1.0, False),
        ("chat", 0, 3.0, True),
        ("chat", 4, 2.0, True),
    ]


def test_signals_behind_a_vote_stand_in_one_order_whatever_they_are_about():
    turns = [interaction("i")]
    signals = [signal("rating", 0.9, "i", signal_id="b"), signal("retry", 1.0, None, "c", signal_id="a")]
    rows, _ = votes(turns, signals)
    assert rows["i"]["signal_ids"] == sorted(rows["i"]["signal_ids"])
