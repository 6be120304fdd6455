"""Asking a model over HTTP, and every way in which that can go wrong."""

import pytest

from penstock.errors import ConfigurationError
from penstock.judging.judge import MOST_FAILURES, Verdict, judge_of, read_verdict
from penstock.judging.question import Question
from penstock.settings import GatewaySettings, JudgeSettings, UpstreamSettings
from tests.judging.scripted_judge import running_judge

FIRST, SECOND = (
    Question(text="Is it wrong?", about=(("message", "no"),)),
    Question(text="Is it praise?", about=(("message", "no"),)),
)


def test_each_question_has_its_verdict_in_order():
    with running_judge(lambda content: "yes" if '"seven"' in content else "no") as judge:
        questions = [[Question(text="?", about=(("m", name),))] for name in ("one", "seven", "two")]
        assert [said[0].is_yes for said in judge.judge().ask(questions)] == [False, True, False]


def test_the_next_question_of_a_chain_is_asked_only_where_the_one_before_was_denied():
    with running_judge(lambda content: "yes" if "praise" in content else "no") as judge:
        assert judge.judge().ask([[FIRST, SECOND]]) == [[Verdict(is_yes=False), Verdict(is_yes=True)]]
        assert judge.judge().ask([[SECOND, FIRST]]) == [[Verdict(is_yes=True)]]
        assert len(judge.bodies) == 3


def test_every_request_is_marked_as_a_judge_s_and_says_how_it_is_to_be_answered():
    with running_judge() as judge:
        judge.judge().ask([[FIRST]])
        judge.judge(temperature=-1, max_tokens=0).ask([[FIRST]])
    assert "x-penstock-exposure: judge" in judge.heads[0].lower()
    assert (judge.bodies[0]["temperature"], judge.bodies[0]["max_tokens"]) == (0.0, 256)
    assert set(judge.bodies[1]) == {"model", "messages"}


def test_garbage_is_an_unreadable_answer_and_not_a_failure_of_the_server():
    with running_judge(lambda _: "as an AI language model") as judge:
        (said,) = judge.judge().ask([[FIRST, SECOND]])
    assert (said[0].is_yes, said[0].is_away, len(said)) == (None, False, 1)
    assert said[0].failure == "unreadable: neither yes nor no"


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [{"message": {"content": None}}]}, {"choices": "yes"}])
def test_a_completion_of_another_shape_is_unreadable(answer):
    verdict = read_verdict(answer)
    assert verdict.is_yes is None and verdict.failure.startswith("unreadable")


@pytest.mark.parametrize(
    ("model", "kind"), [("status-500", "status"), ("bad-json", "protocol"), ("hang", "timeout"), ("drop", "disc")]
)
def test_a_server_that_fails_is_given_up_on_after_a_while_and_the_rest_stays_unasked(model, kind):
    with running_judge() as server:
        said = server.judge(model=model, timeout_s=0.2, concurrency=1).ask([[FIRST]] * (MOST_FAILURES + 3))
    assert [len(verdicts) for verdicts in said] == [1] * MOST_FAILURES + [0] * 3
    assert all(verdicts[0].is_away and verdicts[0].failure.startswith(kind) for verdicts in said[:MOST_FAILURES])


def test_a_server_that_is_down_refuses():
    with running_judge() as server:
        judge = server.judge()
    assert judge.ask([[FIRST]])[0][0].failure.startswith("refused")


def test_an_upstream_of_the_gateway_lends_its_address_and_key():
    gateway = GatewaySettings(upstreams={"big": UpstreamSettings(base_url="http://big/v1", api_key_env="BIG")})
    found = judge_of(JudgeSettings(model="m", upstream="big"), gateway, {"BIG": "secret"})
    assert found is not None
    assert (found.base_url, found.api_key) == ("http://big/v1", "secret")
    assert judge_of(JudgeSettings(), gateway, {}) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "base_url"),
        ({"base_url": "http://x/v1", "upstream": "big"}, "not both"),
        ({"upstream": "small"}, "small"),
        ({"base_url": "http://x/v1", "api_key_env": "NOWHERE"}, "NOWHERE"),
        ({"base_url": "x/v1"}, "http://"),
    ],
)
def test_a_judge_that_cannot_be_asked_is_told_at_once(given, said):
    with pytest.raises(ConfigurationError, match=said):
        judge_of(JudgeSettings(model="m", **given), GatewaySettings(), {})
