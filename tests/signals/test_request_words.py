"""What a request says, without what any request says."""

import pyarrow as pa

from penstock.signals.request_words import RequestWords, read_words


def read(*texts: str | None) -> RequestWords:
    return read_words(pa.array(texts, pa.string()))


def shared(one: str, other: str) -> int:
    """How many words both have."""
    content = read(one, other).content
    return int(content[0].multiply(content[1]).sum())


def test_words_are_the_same_whatever_their_ending_case_and_punctuation() -> None:
    assert shared("Sorting lists!", "sort a (list)") == 2
    assert shared("planned classes, cities", "plan class city") == 3


def test_what_any_request_has_does_not_count() -> None:
    assert read("could you please tell me how to do this").content.sum() == 0


def test_a_word_counts_once_however_often_it_is_said() -> None:
    assert read("list list lists").content.sum() == 1


def test_a_piece_of_code_has_the_words_in_it() -> None:
    assert shared("list[0].sort()", "sort list") == 2


def test_words_of_other_languages_are_words() -> None:
    assert shared("Straße nach Köln", "nach Köln über die STRASSE") == 2
    assert shared("東京 天気", "天気 大阪") == 1


def test_no_text_is_an_empty_one_and_none_at_all_are_none() -> None:
    assert read(None, " \n ").text.to_pylist() == ["", ""]
    assert read(None, " \n ", "a b").words.tolist() == [0, 0, 2]
    assert read().content.shape[0] == 0


def test_white_space_is_one_space_and_texts_are_cut() -> None:
    assert read("a \t\n b\u00a0c").text.to_pylist() == ["a b c"]
    assert len(read("x" * 9_000).text[0].as_py()) == 4_000
