"""Traffic as numbers: what becomes a target, of whom, in which period, with which values."""

import numpy
import pytest

from penstock.errors import BadInputError
from penstock.signals.traffic import (
    OTHERS,
    SEGMENTED_BY,
    Period,
    Selected,
    check_segmented_by,
    engine,
    fetch,
    load_targets,
    load_turns,
    load_votes,
    names_of,
    shared_codes,
    shares_by_case,
)
from tests.rows import at, make_interaction, make_signal

EVERYTHING = Selected(period=Period(), exposures=("served",), by="application")


def loaded(lake, selected=EVERYTHING, slots=None):
    with engine() as connection:
        load_turns(connection, lake, selected)
        load_targets(connection, slots or [Period()])
        load_votes(connection, lake, selected)
        targets = fetch(connection, "SELECT * FROM targets ORDER BY n").to_pylist()
        votes = fetch(connection, "SELECT id, name, value FROM votes JOIN targets USING (n) JOIN names USING (code)").to_pylist()
        return targets, votes, names_of(connection)


def test_interactions_and_their_sessions_are_targets_and_only_served_ones(lake):
    lake.append(
        "interactions",
        [
            make_interaction(0, session_id="s", user_id="u", application="chat"),
            make_interaction(1, session_id="s", user_id="u", capture_probability=0.5),
            make_interaction(2, session_id="t", exposure="replay"),
        ],
    )
    targets, _, _ = loaded(lake)
    assert sorted((row["kind"], row["segment"], row["weight"]) for row in targets) == [
        ("interaction", "(none)", 2.0), ("interaction", "chat", 1.0), ("session", "chat", 1.5),
    ]  # fmt: skip
    assert len({row["who"] for row in targets}) == 1


def test_the_last_value_counts_and_what_has_none_or_is_not_in_force_does_not(lake):
    one = make_interaction(0)
    lake.append("interactions", [one])
    lake.append(
        "signals",
        [
            make_signal("rating", one, 1.0, signal_id="a", occurred_at=at(5)),
            make_signal("rating", one, -1.0, signal_id="b", occurred_at=at(9)),
            make_signal("copy", one, None),
            make_signal("retry", one, 0.9, definition="retry@0"),
            make_signal("odd", one, float("nan")),
        ],
    )
    selected = Selected(period=Period(), exposures=("served",), definitions=("rating@1", "copy@1", "odd@1"))
    _, votes, names = loaded(lake, selected)
    assert votes == [{"id": one.interaction_id, "name": "rating", "value": -1.0}]
    assert names == ["rating"]


def test_periods_are_bits_and_narrow_what_is_read(lake):
    lake.append("interactions", [make_interaction(number, start=number * 86_400) for number in range(4)])
    slots = (Period(since=at(86_400)), Period(until=at(2 * 86_400)))
    targets, _, _ = loaded(lake, slots=slots)
    assert sorted(row["slot"] for row in targets if row["kind"] == "interaction") == [1, 1, 2, 3]
    narrow = Selected(period=Period(since=at(86_400), until=at(2 * 86_400)), exposures=("served",))
    assert len(loaded(lake, narrow)[0]) == 2


def test_rare_segments_are_folded(lake):
    rows = [make_interaction(number, application=f"a{number % 40}") for number in range(100)]
    lake.append("interactions", rows)
    targets, _, _ = loaded(lake)
    segments = {row["segment"] for row in targets}
    assert len(segments) == 31
    assert OTHERS in segments


def test_another_column_is_refused_by_name():
    check_segmented_by(None)
    check_segmented_by("segment")
    with pytest.raises(BadInputError, match=f"--by prompt_text.*{SEGMENTED_BY[-1]}"):
        check_segmented_by("prompt_text")


def test_of_two_values_of_one_moment_the_one_that_was_known_last_counts_whatever_the_order(lake):
    one = make_interaction(0)
    lake.append("interactions", [one])
    said = [make_signal("feedback", one, value, signal_id=str(value), known_at=at(7_000 + value)) for value in (-1.0, 0.5, 0.0)]
    lake.append("signals", said)
    assert [vote["value"] for vote in loaded(lake)[1]] == [0.5]


def test_only_an_outcome_has_a_share_and_one_that_is_none_is_the_whole(lake):
    rows = [make_interaction(number) for number in range(5)]
    lake.append("interactions", rows)
    given = [("outcome", "0.25"), ("implicit", "0.25"), ("outcome", "a lot"), ("outcome", "3"), ("outcome", "0.000000")]
    lake.append(
        "signals",
        [
            make_signal("x", row, 1.0, kind=kind, evidence={"weight": weight})
            for row, (kind, weight) in zip(rows, given, strict=True)
        ],
    )
    with engine() as connection:
        load_turns(connection, lake, EVERYTHING)
        load_targets(connection, [Period()])
        load_votes(connection, lake, EVERYTHING)
        votes = fetch(connection, "SELECT id, share FROM votes JOIN targets USING (n)").to_pylist()
        codes = shared_codes(connection)
    shares = {vote["id"]: vote["share"] for vote in votes}
    assert [shares[row.interaction_id] for row in rows] == [0.25, 1.0, 1.0, 1.0, pytest.approx(1e-6)]
    assert codes == [0]


def test_where_there_is_no_outcome_the_mean_share_counts():
    nan = float("nan")
    assert shares_by_case(numpy.array([0.5, 1.0, nan]), numpy.array([1.0, 3.0, 9.0])).tolist() == [0.5, 1.0, 0.875]
    assert shares_by_case(numpy.array([nan]), numpy.array([1.0])).tolist() == [1.0]
