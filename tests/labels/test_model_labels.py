"""Which labels are new, which stand, and which are withdrawn."""

from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from penstock.labels.label_model import GroupRates, ModelParameters
from penstock.labels.labelling_functions import LabellingFunction
from penstock.labels.model_labels import LabelledBy, new_labels, schema_of, standing_sql

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FUNCTIONS = [
    LabellingFunction(name="down", signal="rating", votes="bad", at_most=-0.5),
    LabellingFunction(name="up", signal="rating", votes="good", at_least=0.5),
]
TIME = pa.timestamp("us", "UTC")


def by(prevalence=0.5):
    rates = GroupRates(voters=("rating",), only_answer=None, in_good=0.9, in_bad=0.9)
    parameters = ModelParameters(prevalence=prevalence, groups=(rates,), heard={}, silence_as_votes=False)
    return LabelledBy(label_model_id="lm_1", functions=FUNCTIONS, parameters=parameters)


def votes(**fired):
    rows = [
        {
            "interaction_id": name,
            "application": "chat",
            "model_version": "v1",
            "prompt_version": None,
            "segment": "pro",
            "started_at": NOON,
            "went_on": True,
            "is_old": True,
            "fired": bits,
            "signal_ids": [f"s_{name}"],
            "truth": -1,
            "drawn": 1.0,
        }
        for name, bits in fired.items()
    ]
    text = ("model_version", "prompt_version", "segment")
    schema = pa.schema([(name, pa.string() if name in text else kind) for name, kind in KINDS.items()])
    return pa.Table.from_pylist(rows, schema)


KINDS = {
    "interaction_id": pa.string(), "application": pa.string(), "model_version": pa.string(), "prompt_version": pa.string(),
    "segment": pa.string(), "started_at": TIME, "went_on": pa.bool_(), "is_old": pa.bool_(), "fired": pa.int64(),
    "signal_ids": pa.list_(pa.string()), "truth": pa.int32(), "drawn": pa.float64(),
}  # fmt: skip


def standing(labels):
    """What stands after these labels."""
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    engine.register("labels", labels)
    return engine.sql(standing_sql("labels", "good")).to_arrow_table()


def nothing():
    return standing(new_labels(votes(), _empty(), by(), NOON))


def _empty():
    columns = ["supersedes", "interaction_id", "model_version", "prompt_version", "segment"]
    return pa.schema(
        [*((name, pa.string()) for name in columns), ("started_at", TIME), ("value", pa.float64()), ("voted", pa.uint64())]
    ).empty_table()


def test_a_label_says_what_voted_and_points_back():
    labels = new_labels(votes(a=0b10, b=0b01, c=0), nothing(), by(), NOON)
    rows = {row["interaction_id"]: row for row in labels.to_pylist()}
    assert set(rows) == {"a", "b"}
    assert (rows["a"]["value"], rows["a"]["probability"], rows["b"]["value"]) == (0.9, 0.9, 0.1)
    assert rows["a"]["value_json"] == '{"model":"lm_1","votes":{"up":"good"},"silent":[]}'
    assert (rows["b"]["rationale"], rows["b"]["signal_ids"], rows["b"]["supersedes"]) == ("down says bad", ["s_b"], None)
    assert (rows["a"]["schema"], rows["a"]["segment"], rows["a"]["known_at"]) == ("usefulness", "pro", NOON)


def test_the_same_votes_give_no_new_label_unless_the_probability_moves():
    first = new_labels(votes(a=0b10), nothing(), by(), NOON)
    assert new_labels(votes(a=0b10), standing(first), by(0.52), NOON).num_rows == 0
    (moved,) = new_labels(votes(a=0b10), standing(first), by(0.7), NOON).to_pylist()
    assert (moved["value"], moved["supersedes"]) == (0.95, first.column("label_id")[0].as_py())


def test_without_votes_the_label_is_withdrawn_once():
    first = new_labels(votes(a=0b10), nothing(), by(), NOON)
    gone = new_labels(votes(a=0), standing(first), by(), NOON)
    assert gone.select(["value", "rationale", "signal_ids"]).to_pylist() == [
        {"value": None, "rationale": "the evidence was withdrawn", "signal_ids": []}
    ]
    both = pa.concat_tables([first.cast(gone.schema), gone])
    assert new_labels(votes(a=0), standing(both), by(), NOON).num_rows == 0
    (again,) = new_labels(votes(a=0b10), standing(both), by(), NOON).to_pylist()
    assert again["label_id"] not in both.column("label_id").to_pylist()


def test_every_dimension_has_a_schema():
    assert (schema_of("good").name, schema_of("good").dimensions[0].maximum) == ("usefulness", 1.0)
    assert (schema_of("polite").name, schema_of("polite").dimensions[0].name) == ("polite", "polite")
