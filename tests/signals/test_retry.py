"""Telling a second try from the next question."""

import gzip
import json
from itertools import pairwise
from pathlib import Path

import pytest

from penstock.signals.retry import EXACT_PROBABILITY, judge_retry

CAST = Path(__file__).resolve().parents[3] / "shared" / "data" / "cast19"


def probability(first: str, second: str) -> float:
    verdict = judge_retry(first, second)
    return verdict.probability if verdict else 0.0


def test_the_same_words_again_are_an_exact_retry_whatever_their_case_and_spacing() -> None:
    verdict = judge_retry("How do I  sort a list?", "how do i sort a list?")
    assert verdict is not None
    assert (verdict.kind, verdict.probability) == ("exact", EXACT_PROBABILITY)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("how do I sort a list in python", "how can I sort a python list"),
        ("cancel my flight", "I said cancel my flight to Boston"),
        ("write a function that sums three numbers", "no, write a function that sums three numbers"),
        ("what's the refund policy", "what is the refund policy?"),
    ],
)
def test_a_rephrased_request_is_likely_a_retry(first: str, second: str) -> None:
    assert probability(first, second) > 0.5


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("what is the weather in London today", "and in Paris?"),
        ("tell me about lung cancer", "tell me about throat cancer"),
        ("what is the capital of France", "what is the capital of Spain"),
        ("what is throat cancer", "is it treatable?"),
        ("how do I sort a list", "thanks, now how do I reverse a string"),
    ],
)
def test_a_follow_up_that_shares_most_words_is_no_retry(first: str, second: str) -> None:
    assert probability(first, second) < 0.5


def test_another_request_is_not_even_a_candidate() -> None:
    assert judge_retry("how do I sort a list", "book a table for two") is None
    assert judge_retry("", "anything") is None


@pytest.mark.skipif(not CAST.exists(), reason="the shared data sets are not on this machine")
def test_follow_ups_of_real_conversations_are_told_from_rewrites() -> None:
    topics = json.loads(gzip.decompress((CAST / "evaluation_topics_v1.0.json.gz").read_bytes()))
    rewrites = dict(line.split("\t") for line in (CAST / "resolved_v1.0.tsv").read_text().splitlines())
    hits, rewritten, false_alarms, followed = 0, 0, 0, 0
    for topic in topics:
        turns = [turn["raw_utterance"].strip() for turn in topic["turn"]]
        for number, raw in enumerate(turns, start=1):
            rewrite = rewrites.get(f"{topic['number']}_{number}", raw).strip()
            if rewrite.lower() != raw.lower():
                rewritten += 1
                hits += probability(raw, rewrite) > 0.5
        for first, second in pairwise(turns):
            followed += 1
            false_alarms += probability(first, second) > 0.5
    assert hits / rewritten > 0.85
    assert false_alarms / followed < 0.02
