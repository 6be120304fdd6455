"""How often signals are there: sums over users, weighted back, all together and by segment."""

import pytest

from penstock.signals.conflict import load_said
from penstock.signals.coverage import coverage_sums, load_counts, said_shares
from penstock.signals.readings import BAD, GOOD, READINGS
from penstock.signals.traffic import ALL, Period, Selected, engine, load_targets, load_turns, load_votes, names_of
from penstock.statistics.cluster import cluster_sums
from tests.rows import make_interaction, make_signal


def test_sums_are_over_users_and_weighted_back(lake):
    rows = [make_interaction(number, user_id=f"u{number // 2}", segment="a" if number < 4 else "b") for number in range(6)]
    rows.append(make_interaction(6, user_id="u0", segment="a", capture_probability=0.25))
    lake.append("interactions", rows)
    lake.append(
        "signals", [make_signal("retry", rows[0], 0.9), make_signal("retry", rows[6], 0.1), make_signal("copy", rows[4], 1)]
    )
    with engine() as connection:
        selected = Selected(period=Period(), exposures=("served",), by="segment")
        load_turns(connection, lake, selected)
        load_targets(connection, [Period()])
        load_votes(connection, lake, selected)
        names = names_of(connection)
        load_said(connection, names, READINGS)
        load_counts(connection)
        sums, said = coverage_sums(connection, 1), said_shares(connection, 1)
    retry, copy = names.index("retry"), names.index("copy")
    assert sums[ALL, "interaction", retry] == cluster_sums([5.0, 0.0, 0.0], [6.0, 2.0, 2.0])
    assert sums["a", "interaction", retry] == cluster_sums([5.0, 0.0], [6.0, 2.0])
    assert sums["b", "interaction", copy] == cluster_sums([1.0], [2.0])
    assert ("b", "interaction", retry) not in sums
    assert (said[ALL, "interaction", retry, BAD], said[ALL, "interaction", copy, GOOD]) == pytest.approx((1.0, 1.0))
