"""Evidence counts what the split decided and nothing else, by user, with the reward that is known last."""

from datetime import timedelta

import pytest

from penstock.records.label import AnnotatorKind, Label
from penstock.records.release import Arm, Release, ReleaseState
from penstock.release.evidence import read_evidence
from penstock.statistics.cluster import ratio
from tests.rows import LATER, at, make_interaction

RELEASE = Release(
    release_id="r_1",
    route="tab",
    checkpoint_id="c_new",
    stable_checkpoint_id="c_old",
    state=ReleaseState.CANARY,
    candidate_share=0.5,
    salt="r_1",
    turn_id=None,
    created_at=at(0),
    canary_at=at(100),
)
NOW = at(700)


@pytest.fixture
def lake(empty_lake):
    return empty_lake


def served(number, user, arm=Arm.CANDIDATE, **fields):
    checkpoint = "c_new" if arm == Arm.CANDIDATE else "c_old"
    given = {"start": 200, "user_id": user, "release_arm": arm, "arm_probability": 0.5, "checkpoint_id": checkpoint}
    return make_interaction(number, **{**given, **fields})


def reward(interaction, value, known_at=LATER, **fields):
    given = {
        "label_id": f"l_{interaction.interaction_id}_{value}_{known_at:%M}",
        "target_kind": "interaction",
        "target_id": interaction.interaction_id,
        "interaction_id": interaction.interaction_id,
        "schema": "response-quality",
        "schema_version": 1,
        "dimension": "reward",
        "value": value,
        "annotator_kind": AnnotatorKind.PROGRAM,
        "annotator": "reward@1",
        "known_at": known_at,
        "started_at": interaction.started_at,
    }
    return Label(**{**given, **fields})


def evidence(lake, interactions, labels=()):
    lake.append("interactions", interactions)
    lake.append("labels", list(labels))
    return read_evidence(lake, RELEASE, ["served"], NOW)


def test_requests_rewards_and_errors_are_summed_by_user_and_arm(lake):
    rows = [
        served(1, "ann"),
        served(2, "ann"),
        served(3, "bob", error_type="timeout"),
        served(4, "cy", Arm.STABLE),
    ]
    seen = evidence(lake, rows, [reward(rows[0], 0.75), reward(rows[1], -0.25), reward(rows[3], 0.0)])
    assert (seen.candidate.users, seen.candidate.requests, seen.candidate.errors.total) == (2, 3, 1)
    assert (seen.candidate.reward.units, seen.candidate.reward.count, seen.candidate.reward.total) == (1, 2, 0.5)
    assert (seen.candidate.reward.total_squared, seen.candidate.reward.product) == (0.25, 1.0)
    assert (seen.stable.users, ratio(seen.stable.reward).value) == (1, 0.0)
    assert seen.elapsed_s == 600.0


def test_a_reward_not_known_yet_is_left_out_and_not_taken_for_a_bad_one(lake):
    rows = [served(1, "ann"), served(2, "ann")]
    seen = evidence(lake, rows, [reward(rows[0], 0.75)])
    assert ratio(seen.candidate.reward).value == 0.75
    assert seen.candidate.requests == 2


def test_of_several_labels_the_one_known_last_counts(lake):
    row = served(1, "ann")
    later = LATER + timedelta(minutes=5)
    seen = evidence(lake, [row], [reward(row, -0.25), reward(row, 0.75, later, supersedes="l_first")])
    assert seen.candidate.reward.total == 0.75


def test_a_reward_that_was_withdrawn_is_not_known(lake):
    row = served(1, "ann")
    first = reward(row, 0.75)
    withdrawn = reward(row, None, LATER + timedelta(minutes=5), supersedes=first.label_id)
    assert evidence(lake, [row], [first, withdrawn]).candidate.reward.units == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"start": 50},  # before the canary began
        {"exposure": "shadow"},
        {"arm_probability": 1.0},  # by an edge that had not heard of the split
        {"checkpoint_id": "c_other"},
        {"release_arm": None},
    ],
)
def test_what_the_split_did_not_decide_does_not_count(lake, fields):
    seen = evidence(lake, [served(1, "ann", **fields)])
    assert (seen.candidate.users, seen.stable.users) == (0, 0)


def test_labels_of_other_dimensions_are_no_reward(lake):
    row = served(1, "ann")
    seen = evidence(lake, [row], [reward(row, 1.0, dimension="kept")])
    assert seen.candidate.reward.units == 0


def test_without_a_user_the_session_is_the_unit(lake):
    rows = [served(number, None, session_id="s_1") for number in range(3)]
    assert evidence(lake, rows).candidate.users == 1


def test_an_empty_lake_is_an_empty_canary(lake):
    seen = read_evidence(lake, RELEASE, ["served"], NOW)
    assert (seen.candidate.users, seen.stable.users) == (0, 0)
