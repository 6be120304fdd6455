"""The split is sticky, has the share it claims, and says with which probability each arm was chosen."""

import numpy
import pytest
from msgspec.structs import replace
from scipy import stats

from penstock.records.clock import utc_now
from penstock.records.release import Arm, Route
from penstock.release.assignment import choose_arm, position

ROUTE = Route(
    route="tab",
    generation=3,
    stable_checkpoint_id="c_stable",
    candidate_checkpoint_id="c_new",
    candidate_share=0.3,
    release_id="r_1",
    salt="r_1",
    changed_at=utc_now(),
)


def test_a_user_keeps_the_same_arm():
    assert len({choose_arm(ROUTE, "u_7") for _ in range(20)}) == 1


def test_the_candidate_gets_its_share_of_users():
    chosen = [choose_arm(ROUTE, f"u_{number}") for number in range(20_000)]
    candidates = sum(one.arm == Arm.CANDIDATE for one in chosen)
    assert stats.binomtest(candidates, len(chosen), 0.3).pvalue > 0.001


def test_each_arm_carries_its_own_probability_and_checkpoint():
    seen = {(one.arm, round(one.probability, 9), one.checkpoint_id) for one in (choose_arm(ROUTE, f"u_{n}") for n in range(200))}
    assert seen == {(Arm.CANDIDATE, 0.3, "c_new"), (Arm.STABLE, 0.7, "c_stable")}


@pytest.mark.parametrize("change", [{"candidate_checkpoint_id": None}, {"candidate_share": 0.0}])
def test_without_a_candidate_everyone_gets_stable_for_certain(change):
    chosen = choose_arm(replace(ROUTE, **change), "u_1")
    assert (chosen.arm, chosen.probability, chosen.checkpoint_id) == (Arm.STABLE, 1.0, "c_stable")


def test_a_share_of_one_gives_everyone_the_candidate():
    route = replace(ROUTE, candidate_share=1.0)
    assert {choose_arm(route, f"u_{n}").arm for n in range(500)} == {Arm.CANDIDATE}


def test_two_salts_split_the_same_users_independently():
    first = numpy.array([position("r_1", f"u_{n}") for n in range(5_000)])
    second = numpy.array([position("r_2", f"u_{n}") for n in range(5_000)])
    assert abs(numpy.corrcoef(first, second)[0, 1]) < 0.05
