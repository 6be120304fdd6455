"""The decision matrix, row by row, and what it promises over many canaries."""

import numpy
import pytest
from msgspec.structs import replace

from penstock.records.clock import utc_now
from penstock.records.evaluation import Evaluation
from penstock.release.gate import ArmEvidence, CanaryEvidence, Decision, canary_verdict, offline_gate
from penstock.settings import ReleaseSettings
from penstock.statistics.cluster import cluster_sums

RULE = ReleaseSettings(effect_scale=0.1, max_canary_s=3_600.0)


def arm(reward, users=200, spread=0.3, errors=0.0, each=4):
    """An arm whose users each made `each` requests with exactly this mean reward and error rate."""
    offsets = numpy.linspace(-spread, spread, users)
    return ArmEvidence(
        users=users,
        requests=users * each,
        reward=cluster_sums(each * (reward + offsets), numpy.full(users, each)),
        errors=cluster_sums(numpy.full(users, errors * each), numpy.full(users, each)),
    )


def canary(stable, candidate, **changes):
    return replace(CanaryEvidence(stable=stable, candidate=candidate, candidate_share=0.5, elapsed_s=60.0), **changes)


@pytest.mark.parametrize(
    ("seen", "decision"),
    [
        (canary(arm(0.0), arm(0.15)), Decision.PROMOTE),
        (canary(arm(0.15), arm(0.0)), Decision.ROLL_BACK),
        (canary(arm(0.1), arm(0.1)), Decision.CONTINUE),
        (canary(arm(0.0, users=20), arm(0.6, users=20)), Decision.CONTINUE),  # fewer users than min_users
        (canary(arm(0.0, users=300), arm(0.6, users=100)), Decision.INVALID),  # however good it looks
        (canary(arm(0.1), arm(0.1), elapsed_s=3_601.0), Decision.REFUSE),
        (canary(arm(0.0), arm(0.15), elapsed_s=3_601.0), Decision.PROMOTE),  # proof counts, also at the last moment
        (canary(arm(0.0), arm(0.15, errors=0.5)), Decision.ROLL_BACK),  # better rewards do not excuse failing
        (canary(arm(0.0, users=10), arm(0.0, users=10, errors=1.0)), Decision.ROLL_BACK),  # found before the rewards are in
        (canary(arm(0.1), arm(0.1, errors=0.02)), Decision.CONTINUE),
        (canary(ArmEvidence(), ArmEvidence()), Decision.CONTINUE),
    ],
)
def test_each_row_of_the_decision_matrix(seen, decision):
    assert canary_verdict(seen, RULE).decision == decision


def test_a_rollback_may_need_less_evidence_than_a_promotion():
    rule = replace(RULE, rollback_evidence=5.0)
    better, worse = canary(arm(0.0), arm(0.052)), canary(arm(0.052), arm(0.0))
    assert 5.0 < canary_verdict(better, rule).likelihood_ratio < 20.0
    assert canary_verdict(better, rule).decision == Decision.CONTINUE
    assert canary_verdict(worse, rule).decision == Decision.ROLL_BACK


def test_an_undecided_canary_is_refused_when_its_users_are_used_up():
    verdict = canary_verdict(canary(arm(0.1), arm(0.1)), replace(RULE, max_canary_users=400))
    assert verdict.decision == Decision.REFUSE
    assert "400 users" in verdict.reason


def test_a_broken_split_is_named_as_the_reason():
    verdict = canary_verdict(canary(arm(0.0, users=300), arm(0.0, users=100)), RULE)
    assert verdict.reason.startswith("sample ratio: 300 users in stable, 100 in candidate")


def test_the_p_value_keeps_the_best_evidence_so_far():
    assert canary_verdict(canary(arm(0.1), arm(0.1), p_value=0.2), RULE).p_value == 0.2
    assert canary_verdict(canary(arm(0.0), arm(0.2), p_value=0.2), RULE).p_value < 0.05


def test_an_empty_canary_claims_no_interval():
    verdict = canary_verdict(canary(ArmEvidence(), ArmEvidence()), RULE)
    assert (verdict.difference_low, verdict.difference_high, verdict.p_value) == (None, None, 1.0)


def test_a_candidate_that_is_no_better_is_almost_never_promoted_or_rolled_back():
    generator, decided, rounds = numpy.random.default_rng(0), 0, 300
    for _ in range(rounds):
        totals = generator.choice([0.75, -0.25, 0.0], size=(2, 1_000, 4), p=[0.2, 0.4, 0.4]).sum(axis=2)
        for users in range(50, 1_001, 50):
            arms = [
                ArmEvidence(users=users, requests=4 * users, reward=cluster_sums(total[:users], numpy.full(users, 4)))
                for total in totals
            ]
            if canary_verdict(canary(*arms), RULE).decision != Decision.CONTINUE:
                decided += 1
                break
    assert decided / rounds <= 0.05


def evaluation(passed, reason="held-out: fine"):
    return Evaluation(
        evaluation_id="v_1",
        suite_id="su_1",
        checkpoint_id="c_new",
        baseline_checkpoint_id="c_stable",
        score=0.1,
        score_low=0.0,
        score_high=0.2,
        baseline_score=0.1,
        difference=0.0,
        difference_low=-0.1,
        difference_high=0.1,
        items=10,
        passed=passed,
        reason=reason,
        created_at=utc_now(),
    )


def test_a_candidate_that_passed_every_suite_may_meet_users():
    assert offline_gate([evaluation(True), evaluation(True)]).passed


def test_one_failed_suite_refuses_and_says_why():
    verdict = offline_gate([evaluation(True), evaluation(False, "copy: exact match fell to 0.02")])
    assert not verdict.passed
    assert verdict.reasons == ("copy: exact match fell to 0.02",)


def test_an_unexamined_candidate_is_refused():
    assert not offline_gate([]).passed


def gained(low, suite_id="su_own"):
    return replace(evaluation(True), suite_id=suite_id, difference=low + 0.05, difference_low=low)


def test_without_a_canary_a_candidate_has_to_be_shown_to_be_better():
    assert offline_gate([evaluation(True), gained(0.01)], must_gain_on="su_own").passed
    unproven = offline_gate([gained(0.2, "su_trusted"), gained(-0.01)], must_gain_on="su_own")
    assert unproven.reasons == ("not shown to be better than production: +0.0400, at least -0.0100",)
    assert not offline_gate([gained(0.2, "su_trusted")], must_gain_on="su_own").passed


def test_a_gain_makes_up_for_no_failed_suite():
    failed = evaluation(False, "held-out/cards: it finds fewer")
    assert offline_gate([failed, gained(0.2)], must_gain_on="su_own").reasons == ("held-out/cards: it finds fewer",)
