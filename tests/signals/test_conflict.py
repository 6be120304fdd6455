"""Signals that contradict each other on one target, counted by pattern."""

import pytest

from penstock.signals.conflict import find_conflicts, load_said
from penstock.signals.readings import BAD, GOOD, READINGS, parse_readings
from penstock.signals.traffic import ALL, Period, Selected, engine, load_targets, load_turns, load_votes, names_of
from tests.rows import make_interaction, make_signal


def conflicts(lake, readings=READINGS, by=None):
    selected = Selected(period=Period(), exposures=("served",), by=by)
    with engine() as connection:
        load_turns(connection, lake, selected)
        load_targets(connection, [Period()])
        load_votes(connection, lake, selected)
        names = names_of(connection)
        load_said(connection, names, readings)
        found = find_conflicts(connection, names, 1)
    return {(segment, names[code], says): one for (segment, _, code, says), one in found.items()}


def test_a_share_of_what_is_said_is_contradicted_and_by_whom_most(lake):
    rows = [make_interaction(number, segment="a" if number else "b") for number in range(10)]
    lake.append("interactions", rows)
    copies = [make_signal("copy", row, 1.0) for row in rows]
    retries = [make_signal("retry", row, 0.9) for row in rows[:3]]
    ratings = [make_signal("rating", row, value) for row, value in zip(rows[2:4], (-1.0, 1.0), strict=True)]
    lake.append("signals", [*copies, *retries, *ratings])
    found = conflicts(lake, by="segment")
    copy = found[ALL, "copy", GOOD]
    assert (copy.share, copy.together, copy.most_with) == (pytest.approx(0.3), 4, "retry")
    assert found[ALL, "retry", BAD].share == 1.0
    assert (found[ALL, "rating", GOOD].share, found[ALL, "rating", GOOD].most_with) == (0.0, None)
    assert found["b", "copy", GOOD].share == 1.0


def test_more_signals_than_a_number_has_bits_are_told_apart(lake):
    one = make_interaction(0)
    lake.append("interactions", [one])
    lake.append("signals", [make_signal(f"x{number:03d}", one, 1.0) for number in range(130)])
    stated = [f"x{number:03d}:{'bad' if number == 129 else 'good'}>=1" for number in range(130)]
    found = conflicts(lake, parse_readings(stated))
    assert found[ALL, "x000", GOOD].most_with == "x129"
    assert found[ALL, "x129", BAD].share == 1.0


def test_without_signals_there_is_nothing(lake):
    lake.append("interactions", [make_interaction(0)])
    assert conflicts(lake) == {}
