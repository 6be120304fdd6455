import pytest

from penstock.errors import BadInputError
from penstock.serving import wire

CHAT = b'{"model": "c_1", "messages": [{"role": "user", "content": "hi"}], '


def check(body: bytes) -> wire.ChatRequest:
    request = wire.read(body, wire.ChatRequest)
    wire.check_supported(request)
    wire.prompts(request)
    wire.sampling_rule(request, request.max_tokens, 0)
    return request


@pytest.mark.parametrize(
    ("rest", "complaint"),
    [
        (b'"temperature": -1}', "temperature"),
        (b'"top_p": 0}', "top_p"),
        (b'"max_tokens": 0}', "max_tokens"),
        (b'"n": 1000}', "n is 1000"),
        (b'"top_logprobs": 3}', "top_logprobs"),
        (b'"tools": [{}]}', "tools"),
        (b'"response_format": {"type": "json_object"}}', "response_format"),
        (b'"stop": [""]}', "stop"),
        (b'"seed": "seven"}', "no"),
        (b'"messages": []}', "messages"),
        (b'"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', "content"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(rest: bytes, complaint: str) -> None:
    with pytest.raises(BadInputError, match=complaint):
        check(CHAT + rest)


def test_unknown_fields_are_ignored_and_nulls_are_defaults() -> None:
    request = check(CHAT + b'"user": "me", "metadata": {}, "temperature": null, "top_p": null, "stop": null, "seed": null}')
    assert wire.sampling_rule(request, None, 0).temperature == 1.0


def test_choices_of_one_request_have_different_seeds() -> None:
    request = check(CHAT + b'"seed": 7, "n": 2}')
    assert [wire.sampling_rule(request, None, choice).seed for choice in (0, 1)] == [7, 8]


def test_content_in_parts_is_read_as_one_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert wire.plain_messages([{"role": "user", "content": parts}]) == [{"role": "user", "content": "ab"}]
    assert wire.plain_messages([{"role": "assistant", "content": None}]) == [{"role": "assistant", "content": ""}]
