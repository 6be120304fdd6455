"""What the clients that use OpenAI's library do, one scenario after another, each within a request of its own."""

import contextlib
from typing import Any

import openai

from tests.clients.exporting import request

STREAMED: Any = {"stream": True, "stream_options": {"include_usage": True}}
MODEL = "gpt-4o-mini"
SYSTEM = {"role": "system", "content": "You are a polite refund assistant."}
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "lookup_order",
            "description": "Look up an order",
            "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
        },
    }
]


def hold(model_url: str) -> None:
    """Say everything there is to say."""
    with openai.OpenAI(base_url=model_url, api_key="sk-x", max_retries=0) as client:
        with request("chat"):
            _ask(client, [SYSTEM, _user("Where is my refund?")], temperature=0.2, max_tokens=200)
        with request("stream"):
            _read(_ask(client, [_user("Stream señor Müller ✓")], **STREAMED))
        with request("stream_tools"):
            _read(_ask(client, [_user("Status of order A-1001?")], tools=TOOLS, **STREAMED))
        with request("tools"):
            _use_a_tool(client)
        with request("multi_turn"):
            first = [SYSTEM, _user("Hi, I want a refund")]
            answer = _ask(client, first).choices[0].message.content
            _ask(client, [*first, {"role": "assistant", "content": answer}, _user("No, I meant A-1002")])
        for status in (500, 429):
            with request(f"error{status}"), contextlib.suppress(openai.APIStatusError):
                _ask(client, [_user(f"this fails with {status}")], model=f"err-{status}")
        with request("embeddings"):
            client.embeddings.create(model="text-embedding-3-small", input=["refund policy", "shipping"])


def _read(stream: Any) -> None:
    for _ in stream:
        pass


def _use_a_tool(client: openai.OpenAI) -> None:
    messages: list[Any] = [_user("Status of order A-1001?")]
    call = _ask(client, messages, tools=TOOLS).choices[0].message.tool_calls[0]
    called = {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}
    messages.append({"role": "assistant", "content": None, "tool_calls": [called]})
    messages.append({"role": "tool", "tool_call_id": call.id, "content": '{"status": "shipped"}'})
    _ask(client, messages, tools=TOOLS)


def _ask(client: openai.OpenAI, messages: Any, *, model: str = MODEL, **options: Any) -> Any:
    return client.chat.completions.create(model=model, messages=messages, **options)


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}
