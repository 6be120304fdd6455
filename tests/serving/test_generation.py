import random
from collections.abc import Sequence

from penstock.serving.generation import Answer, Generation, Piece, Prompt, SamplingRule, Token

END = 0


def spell(text: str, *, streamed: bool = False, stop: tuple[str, ...] = (), limit: int = 100, ends: bool = True) -> list[Piece]:
    """The pieces that come of sampling this text byte by byte, and then the end token."""
    answers: list[Answer] = []
    generation = Generation(Prompt(text="?"), SamplingRule(stop=stop), answers.append, streamed=streamed)
    generation.prompt_ids, generation.limit = [1, 2], limit
    pieces: list[Piece] = []
    for token_id in [*text.encode(), END] if ends else text.encode():
        piece = generation.accept(token_id, Token("?", -1.0), is_end=token_id == END, decode=decode)
        if piece is not None:
            pieces.append(piece)
        if piece is not None and piece.finish_reason:
            break
    return pieces


def decode(ids: Sequence[int]) -> str:
    return bytes(ids).decode("utf-8", "replace")


def test_an_answer_comes_whole_and_counts_its_end_token() -> None:
    (piece,) = spell("abc")
    assert (piece.text, piece.finish_reason, len(piece.tokens), piece.prompt_tokens) == ("abc", "stop", 4, 2)


def test_an_answer_that_reaches_the_limit_says_so() -> None:
    (piece,) = spell("abcdef", limit=3)
    assert (piece.text, piece.finish_reason, len(piece.tokens)) == ("abc", "length", 3)


def test_a_stop_text_ends_the_answer_before_it_but_its_tokens_count() -> None:
    (piece,) = spell("ab. cd", stop=(". ",))
    assert (piece.text, piece.finish_reason, len(piece.tokens)) == ("ab", "stop", 4)


def test_the_first_of_several_stop_texts_counts() -> None:
    (piece,) = spell("a,b;c", stop=(";", ","))
    assert piece.text == "a"


def test_a_stream_adds_up_to_the_whole() -> None:
    pieces = spell("naïve – 日本", streamed=True)
    assert len(pieces) > 3
    assert "".join(piece.text for piece in pieces) == "naïve – 日本"
    assert sum(len(piece.tokens) for piece in pieces) == len("naïve – 日本".encode()) + 1


def test_a_stream_never_shows_half_a_character() -> None:
    assert all("�" not in piece.text for piece in spell("日本", streamed=True))


def test_a_stream_holds_back_what_may_become_a_stop_text() -> None:
    assert [piece.text for piece in spell("ab--->c", streamed=True, stop=("-->",))] == ["a", "b", "-", ""]


def test_what_was_held_back_is_sent_when_it_is_no_stop_text_after_all() -> None:
    assert "".join(piece.text for piece in spell("a-b--", streamed=True, stop=("-->",))) == "a-b--"


def test_a_seed_decides_every_draw() -> None:
    rule = SamplingRule(seed=3)
    one, two = (Generation(Prompt(text="?"), rule, lambda answer: None, streamed=False) for _ in range(2))
    unseeded = random.Random(0)
    assert [one.uniform(unseeded) for _ in range(5)] == [two.uniform(unseeded) for _ in range(5)]
