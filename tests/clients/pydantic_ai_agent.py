"""pydantic-ai's own instrumentation, with an agent that uses a tool."""

import contextlib
import sys
from typing import Any

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.clients.conversation import MODEL, SYSTEM
from tests.clients.exporting import exporting, request


def lookup_order(order_id: str) -> dict[str, str]:
    """Look up an order"""
    return {"status": "shipped", "order_id": order_id}


def build_agent(model_url: str, name: str, tools: Any = ()) -> Any:
    client = AsyncOpenAI(base_url=model_url, api_key="sk-x", max_retries=0)
    model = OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client))
    return Agent(model, name="refund_agent", instructions=SYSTEM["content"], tools=tools)


with exporting(sys.argv[1]) as (traces, logs):
    Agent.instrument_all(InstrumentationSettings(tracer_provider=traces))
    with request("chat"):
        build_agent(sys.argv[2], MODEL).run_sync("Where is my refund?", conversation_id="session-chat")
    with request("tools"):
        agent = build_agent(sys.argv[2], MODEL, [lookup_order])
        agent.run_sync("Status of order A-1001?", conversation_id="session-tools")
    for status in (500, 429):
        with request(f"error{status}"), contextlib.suppress(ModelHTTPError):
            agent = build_agent(sys.argv[2], f"err-{status}")
            agent.run_sync(f"this fails with {status}", conversation_id=f"session-error{status}")
