"""What is known of everybody, as numbers."""

import numpy
import pytest

from penstock.signals.covariates import COLUMNS, load_cases, session_values_of, sessions_of, values_of
from penstock.signals.traffic import Period, Selected, engine, load_targets, load_turns, load_votes, names_of
from tests.rows import make_interaction, make_signal


def loaded(lake, by="segment"):
    selected = Selected(period=Period(), exposures=("served",), by=by)
    with engine() as connection:
        load_turns(connection, lake, selected, COLUMNS)
        load_targets(connection, [Period()])
        load_votes(connection, lake, selected)
        cases = load_cases(connection)
        sessions = sessions_of(cases)
        names = names_of(connection)
        values = {name: values_of(connection, code, cases.number) for code, name in enumerate(names)}
        return cases, sessions, values, {name: session_values_of(connection, at, sessions) for at, name in enumerate(names)}


def test_categories_numbers_and_gaps_become_features(lake):
    lake.append(
        "interactions",
        [
            make_interaction(0, segment="a", input_tokens=9, response_text="four", error_type="timeout"),
            make_interaction(1, segment="a", request_model="m"),
            make_interaction(2, segment="b"),
        ],
    )
    cases, *_ = loaded(lake)
    order = numpy.argsort(cases.started_s)
    by_name = {}
    for place, name in enumerate(cases.origin):
        by_name.setdefault(name, []).append(cases.matrix[order, place].tolist())
    assert by_name["segment"] == [[0.0, 0.0, 1.0]]
    assert by_name["input_tokens"] == [[pytest.approx(numpy.log(10)), 0.0, 0.0], [0.0, 1.0, 1.0]]
    assert by_name["response_length"][0] == [pytest.approx(numpy.log(5)), 0.0, 0.0]
    assert by_name["error_type"] == [[1.0, 0.0, 0.0]]
    assert by_name["model"] == [[0.0, 1.0, 0.0]]
    assert "application" not in by_name  # the same everywhere
    assert cases.segments == ("a", "b")


def test_who_goes_on_is_seen_within_the_session_or_soon_after(lake):
    lake.append(
        "interactions",
        [
            make_interaction(0, session_id="s", user_id="u", start=0),
            make_interaction(1, session_id="s", user_id="u", start=4_000),
            make_interaction(2, session_id="t", user_id="u", start=4_060),
            make_interaction(3, session_id="v", user_id="u", start=9_000),
            make_interaction(4, session_id="s", user_id="u", start=5_000, application="other"),
        ],
    )
    cases, *_ = loaded(lake)
    order = numpy.argsort(cases.started_s)
    assert cases.has_next[order].tolist() == [True, True, False, False, False]
    assert len(set(cases.user.tolist())) == 1


def test_values_stand_at_their_cases_and_those_of_sessions_at_their_sessions(lake):
    rows = [make_interaction(number, session_id=f"s{number // 2}") for number in range(4)]
    lake.append("interactions", rows)
    about = {"target_kind": "session", "target_id": "s1", "interaction_id": None}
    lake.append("signals", [make_signal("copy", rows[2], 1.0), make_signal("completion", rows[2], 0.5, **about)])
    cases, sessions, values, of_sessions = loaded(lake)
    (place,) = numpy.flatnonzero(numpy.isfinite(values["copy"]))
    assert cases.started_s[place] == rows[2].started_at.timestamp()
    assert sorted(of_sessions["completion"].tolist())[0] == 0.5
    assert numpy.isnan(values["completion"]).all()
    assert sessions.number == 2
    assert sorted(sessions.started_s) == [rows[0].started_at.timestamp(), rows[2].started_at.timestamp()]


def test_rare_categories_go_together_and_not_with_the_most_common_one(lake):
    segments = [name for place in range(12) for name in [f"s{place:02}"] * (20 - place)]
    lake.append("interactions", [make_interaction(number, segment=name) for number, name in enumerate(segments)])
    cases, *_ = loaded(lake)
    columns = [place for place, name in enumerate(cases.origin) if name == "segment"]
    is_common = cases.matrix[:, columns].sum(axis=1) == 0
    assert int(is_common.sum()) == 20
