"""Traffic as numbers: what becomes a target, of whom, in which period, with which values."""

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
