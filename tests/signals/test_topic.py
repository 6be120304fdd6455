"""Whether a request is about what an earlier conversation was about."""

import pyarrow as pa
import pytest

from penstock.signals.topic import Topic, same_topic, topics_of


def topic_of(earlier: str | None, request: str | None) -> Topic | None:
    requests = earlier.split("\n") if earlier else [None]
    (topic,) = topics_of([pa.array([one], pa.string()) for one in requests], pa.array([request], pa.string()))
    return topic


EARLIER = "what is throat cancer\nis it treatable\ntell me about lung cancer"


@pytest.mark.parametrize(
    "request_text",
    ["what are the symptoms of lung cancer", "Is throat cancer treatable?", "tell me about lung cancer", "IS IT TREATABLE"],
)
def test_a_request_that_shares_its_words_is_of_the_same_topic(request_text: str) -> None:
    assert same_topic(topic_of(EARLIER, request_text))


@pytest.mark.parametrize(
    "request_text",
    ["a recipe for lentil soup", "is the weather treatable by prayer", "cancer, the sign of the zodiac and its stars"],
)
def test_one_word_in_common_is_not_enough(request_text: str) -> None:
    assert not same_topic(topic_of(EARLIER, request_text))


def test_nearly_the_same_words_are_a_repeat() -> None:
    repeat = topic_of(EARLIER, "please tell me about the lung cancers")
    other = topic_of(EARLIER, "how is lung cancer found in the throat")
    assert repeat is not None and repeat.is_repeat
    assert other is not None and not other.is_repeat


@pytest.mark.parametrize(
    ("earlier", "later"), [(None, "cancer"), ("cancer", None), ("", "cancer"), ("what is it", "cancer"), ("a", "?")]
)
def test_where_there_are_no_words_nothing_is_known(earlier: str | None, later: str | None) -> None:
    assert topic_of(earlier, later) is None
    assert not same_topic(None)
