"""Telling a second try from the next question."""

import math
import pickle
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from penstock.signals.definition import FINDINGS
from penstock.signals.retry import EXACT_PROBABILITY, LEAST_PROBABILITY, RETRY, judge_retries

START = datetime(2026, 3, 1, tzinfo=UTC)


def probability(first: str, second: str, apart_s: float = math.nan) -> float:
    return float(judge_retries(pa.array([first]), pa.array([second]), [apart_s]).probability[0])


def test_the_same_words_again_are_an_exact_retry_whatever_their_case_and_spacing() -> None:
    verdicts = judge_retries(pa.array(["How do I  sort a list?"]), pa.array(["how do i sort a list? "]))
    assert (verdicts.is_exact[0], verdicts.probability[0], verdicts.word_set[0]) == (True, EXACT_PROBABILITY, 1.0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("how do I sort a list in python", "how can I sort a python list"),
        ("cancel my flight", "I said cancel my flight to Boston"),
        ("write a function that sums three numbers", "no, write a function that sums three numbers"),
        ("translate this letter to French", "that is not what I meant, I want it in French"),
        ("what does it do to the liver?", "what does ibuprofen do to the liver?"),
        ("plan a trip to Rome for three days", "this does not work with children"),
        ("split a string by several delimiters", "in JavaScript please"),
        ("write a function that adds up the digits of a number", "total(-12) should be 1"),
        ("how to add up the digits of a number", "please write the code"),
        ("write code that walks through the digits of a number", "do it without converting to a string"),
        ("draft an invitation to the party", "you forgot the address"),
    ],
)
def test_a_rephrased_or_corrected_request_is_likely_a_retry(first: str, second: str) -> None:
    assert probability(first, second, 45.0) > 0.5


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("what is the weather in London today", "and in Paris?"),
        ("tell me about lung cancer", "tell me about throat cancer"),
        ("what is the capital of France", "what is the capital of Spain"),
        ("what is throat cancer", "is it treatable?"),
        ("how do I sort a list", "thanks, now how do I reverse a string"),
        ("how do I add a column in pandas", "how do I drop a column in pandas"),
        ("write a function that adds up the digits of a number", "great, that works"),
        ("no, cancel the flight to Boston", "book a table for two"),
    ],
)
def test_a_follow_up_that_shares_most_words_is_no_retry(first: str, second: str) -> None:
    assert probability(first, second, 90.0) < 0.5


@pytest.mark.parametrize("said", ["go on", "Continue.", "next page", "yes please", "ok", "more", "please continue"])
def test_going_on_twice_is_no_retry(said: str) -> None:
    assert probability(said, said, 30.0) == 0.0


def test_another_request_is_not_even_a_candidate() -> None:
    assert probability("how do I sort a list", "book a table for two") == 0.0
    assert probability("", "anything") == 0.0


def test_the_sooner_it_is_asked_the_likelier_it_is_a_retry() -> None:
    pair = ("how do I compute a power root", "how do I compute the root of a power of a number")
    assert probability(*pair, 20.0) > probability(*pair, 90.0) > probability(*pair, 500.0)


def test_each_pair_is_judged_by_itself() -> None:
    firsts, seconds = ["sort a list", None, "what is throat cancer", "x"], ["how to sort lists", "x", "is it treatable?", None]
    together = judge_retries(pa.array(firsts), pa.array(seconds), [20.0] * 4).probability
    assert together.tolist() == [probability(one or "", other or "", 20.0) for one, other in zip(firsts, seconds, strict=True)]


def pairs(rows: list[tuple[str, str]]) -> pa.RecordBatch:
    """Candidates, each second request 20 s after an answer that took 10 s."""
    return pa.RecordBatch.from_pylist(
        [
            {
                "interaction_id": f"i{number}",
                "session_id": "s",
                "prompt_text": first,
                "started_at": START,
                "ended_at": START + timedelta(seconds=10),
                "answer": "cut_off",
                "next_interaction_id": f"i{number + 1}",
                "next_prompt_text": second,
                "next_started_at": START + timedelta(seconds=30),
                "found_by": "session_id",
            }
            for number, (first, second) in enumerate(rows)
        ]
    )


def test_a_finding_says_what_spoke_for_it() -> None:
    batch = pairs([("sort a list", "book a table"), ("sort a list", "Sort a list")])
    found = RETRY.find(batch)
    assert found.schema.equals(FINDINGS)
    (row,) = found.to_pylist()
    assert (row["target_id"], row["value"], row["occurred_at"]) == ("i1", EXACT_PROBABILITY, START + timedelta(seconds=30))
    assert dict(row["evidence"]) == {
        "kind": "exact",
        "next_interaction_id": "i2",
        "similarity": "1.0000",
        "gap_s": "20.000",
        "found_by": "session_id",
        "answer": "cut_off",
    }


@pytest.mark.parametrize(("gap_s", "kind", "value"), [(-5.0, "network", None), (1.9, "network", None), (2.0, "exact", 0.95)])
def test_a_second_try_before_anybody_can_have_read_is_a_program_s_and_has_no_value(
    gap_s: float, kind: str, value: float | None
) -> None:
    (row,) = pairs([("sort a list", "sort a list")]).to_pylist()
    batch = pa.RecordBatch.from_pylist([{**row, "next_started_at": row["ended_at"] + timedelta(seconds=gap_s)}])
    (found,) = RETRY.find(batch).to_pylist()
    assert (dict(found["evidence"])["kind"], found["value"]) == (kind, value)


def test_what_is_unlikely_is_no_finding() -> None:
    found = RETRY.find(
        pairs([("how do I sort a list", "how can I sort lists"), ("tell me about lung cancer", "is it treatable?")])
    )
    assert [value >= LEAST_PROBABILITY for value in found.column("value").to_pylist()] == [True]


def test_no_candidates_are_no_findings() -> None:
    assert RETRY.find(pairs([("a", "b")]).slice(0, 0)).num_rows == 0


def test_it_travels_to_other_processes() -> None:
    assert pickle.loads(pickle.dumps(RETRY)).find(pairs([("a b", "a b")])).num_rows == 1
