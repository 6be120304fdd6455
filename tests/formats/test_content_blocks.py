"""A piece of a message, whoever's."""

from typing import Any

import pytest

from penstock.formats.content_blocks import answer_part, block, call_part, pieces_in

CALL = {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": 1}}
ANSWER = {"type": "tool_call_response", "id": "c1", "response": {"ok": True}}


@pytest.mark.parametrize(
    "piece",
    [
        {"type": "text", "text": "hi"},
        {"type": "input_text", "text": "hi"},
        {"type": "output_text", "text": "hi", "annotations": []},
        {"type": "text", "content": "hi"},
        {"text": "hi"},
        "hi",
    ],
)
def test_texts(piece: Any) -> None:
    assert block(piece) == {"type": "text", "content": "hi"}


@pytest.mark.parametrize(
    "piece",
    [
        CALL,
        {**CALL, "arguments": '{"at": 1}'},
        {"type": "function", "id": "c1", "function": {"name": "look", "arguments": '{"at":1}'}},
        {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}},
        {"type": "tool-call", "toolCallId": "c1", "toolName": "look", "input": {"at": 1}},
        {"type": "tool-call", "toolCallId": "c1", "toolName": "look", "args": '{"at":1}'},
        {"type": "function_call", "call_id": "c1", "id": "fc_9", "name": "look", "arguments": '{"at": 1}'},
        {"type": "tool_call", "id": "c1", "name": "look", "args": {"at": 1}},
    ],
)
def test_tool_calls(piece: dict[str, Any]) -> None:
    assert block(piece) == CALL


@pytest.mark.parametrize(
    "piece",
    [
        ANSWER,
        {"type": "tool_call_response", "id": "c1", "result": {"ok": True}},
        {"type": "tool_result", "tool_use_id": "c1", "content": {"ok": True}},
        {"type": "tool-result", "toolCallId": "c1", "output": {"type": "json", "value": {"ok": True}}},
        {"type": "tool-result", "toolCallId": "c1", "result": {"ok": True}},
        {"type": "function_call_output", "call_id": "c1", "output": {"ok": True}},
    ],
)
def test_what_tools_gave_back(piece: dict[str, Any]) -> None:
    assert block(piece) == ANSWER


@pytest.mark.parametrize(
    "piece",
    [
        {"type": "reasoning", "content": "hm"},
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"text": "hm", "thought": True},
    ],
)
def test_reasoning(piece: dict[str, Any]) -> None:
    assert block(piece) == {"type": "reasoning", "content": "hm"}


@pytest.mark.parametrize(
    "piece",
    [
        {"type": "image_url", "image_url": {"url": "https://e.com/a.png"}},
        {"type": "image_url", "image_url": "https://e.com/a.png"},
        {"type": "input_image", "image_url": "https://e.com/a.png"},
        {"type": "image", "image": "https://e.com/a.png"},
        {"type": "image", "source": {"type": "url", "url": "https://e.com/a.png"}},
    ],
)
def test_links_to_images(piece: dict[str, Any]) -> None:
    assert block(piece) == {"type": "uri", "modality": "image", "uri": "https://e.com/a.png"}


@pytest.mark.parametrize(
    "piece",
    [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "file", "data": "AAAA", "mediaType": "image/png"},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ],
)
def test_images_themselves(piece: dict[str, Any]) -> None:
    assert block(piece) == {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"}


def test_gemini_calls_and_answers() -> None:
    assert block({"functionCall": {"name": "look", "args": {"at": 1}}}) == {**CALL, "id": None}
    answer = block({"functionResponse": {"name": "look", "response": {"ok": True}}})
    assert answer == {"type": "tool_call_response", "id": None, "response": {"ok": True}}


@pytest.mark.parametrize("piece", [{"type": "weather", "degrees": 3}, {"type": ["list"]}, {"type": "image"}, 7, None, []])
def test_an_unknown_piece_is_kept(piece: Any) -> None:
    kept = block(piece)
    assert kept["type"]
    assert all(value in kept.values() for value in piece.values()) if isinstance(piece, dict) else "content" in kept


def test_arguments_that_are_no_json_stay_text() -> None:
    assert call_part({"name": "look", "arguments": "{broken"})["arguments"] == "{broken"
    assert answer_part({"tool_call_id": "c", "content": "text"})["response"] == "text"


@pytest.mark.parametrize(
    ("piece", "part"),
    [
        ({"toolUse": {"toolUseId": "c1", "name": "look", "input": {"at": 1}}}, CALL),
        ({"toolResult": {"toolUseId": "c1", "content": [{"json": {"ok": True}}]}}, ANSWER),
        ({"toolResult": {"toolUseId": "c1", "content": [{"text": "fine"}]}}, {**ANSWER, "response": "fine"}),
        (
            {"toolResult": {"toolUseId": "c1", "content": [{"text": "a"}, {"text": "b"}]}},
            {**ANSWER, "response": ["a", "b"]},
        ),
        ({"toolResult": {"toolUseId": "c1", "content": []}}, {**ANSWER, "response": []}),
        ({"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "x"}}}, {"type": "reasoning", "content": "Hm."}),
        ({"reasoningContent": {"redactedContent": "AAAA"}}, {"type": "reasoning", "content": ""}),
        (
            {"image": {"format": "png", "source": {"bytes": "AAAA"}}},
            {"type": "blob", "modality": "image", "mime_type": "png", "content": "AAAA"},
        ),
        (
            {"document": {"format": "pdf", "source": {"s3Location": {"uri": "s3://b/a.pdf"}}}},
            {"type": "uri", "modality": "document", "uri": "s3://b/a.pdf"},
        ),
    ],
)
def test_bedrocks_pieces_of_one_field(piece: Any, part: Any) -> None:
    assert block(piece) == part


def test_a_picture_of_gemini_is_a_picture_in_either_spelling() -> None:
    for piece in (
        {"inline_data": {"mime_type": "image/png", "data": "AAAA"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    ):
        assert block(piece)["modality"] == "image"


@pytest.mark.parametrize("refusal", [{"refusal": "No."}, {"text": "No."}, {"content": "No."}])
def test_a_refusal_is_the_same_however_often_it_is_read(refusal: dict[str, str]) -> None:
    part = {"type": "refusal", "content": "No."}
    assert block({"type": "refusal", **refusal}) == part == block(part)


@pytest.mark.parametrize(
    ("text", "is_list"),
    [
        ('[{"text": "Hi"}]', True),
        ('[{"type": "text", "text": "Hi"}]', True),
        ('[ {"text": "Hi"}, {"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]', True),
        ('[{"name": "Bob"}]', False),
        ('[{"text": "Hi", "lang": "en"}]', False),
        ('[{"text": "Hi"}', False),
        ("[1, 2]", False),
        ("Hi", False),
        (None, False),
    ],
)
def test_a_list_of_pieces_is_told_from_a_text(text: Any, is_list: bool) -> None:
    assert (pieces_in(text) is not None) == is_list
