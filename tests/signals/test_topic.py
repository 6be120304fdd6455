"""Whether a request is about what an earlier conversation was about."""

import pyarrow as pa
import pytest

from penstock.signals.topic import Topics, topics_of


def topic_of(earlier: str | None, request: str | None) -> Topics:
    requests = earlier.split("\n") if earlier else [None]
    return topics_of([pa.array([one], pa.string()) for one in requests], pa.array([request], pa.string()))


EARLIER = "what is throat cancer\nis it treatable\ntell me about lung cancer"


@pytest.mark.parametrize(
    "request_text",
    ["what are the symptoms of lung cancer", "Is throat cancer treatable?", "tell me about lung cancer", "IS IT TREATABLE"],
)
def test_a_request_that_shares_its_words_is_of_the_same_topic(request_text: str) -> None:
    assert topic_of(EARLIER, request_text).is_same[0]


@pytest.mark.parametrize(
    "request_text",
    ["a recipe for lentil soup", "is the weather treatable by prayer", "cancer, the sign of the zodiac and its stars"],
)
def test_one_word_in_common_is_not_enough(request_text: str) -> None:
    assert not topic_of(EARLIER, request_text).is_same[0]


def test_nearly_the_same_words_are_a_repeat() -> None:
    repeat = topic_of(EARLIER, "please tell me about the lung cancers")
    other = topic_of(EARLIER, "how is lung cancer found in the throat")
    assert repeat.is_repeat[0]
    assert not other.is_repeat[0]


@pytest.mark.parametrize(
    ("earlier", "later"), [(None, "cancer"), ("cancer", None), ("", "cancer"), ("what is it", "cancer"), ("a", "?")]
)
def test_where_there_are_no_words_nothing_is_known(earlier: str | None, later: str | None) -> None:
    topic = topic_of(earlier, later)
    assert not (topic.is_compared[0] or topic.is_same[0] or topic.is_repeat[0])


def test_rows_without_a_request_keep_their_place() -> None:
    earlier = pa.array(["lung cancer", "throat cancer"], pa.string())
    topics = topics_of([earlier], pa.array([None, "is throat cancer treatable"], pa.string()))
    assert topics.is_same.tolist() == [False, True]
    assert topics.shared.tolist() == [0, 2]
