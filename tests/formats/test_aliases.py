"""One thing under many names."""

from typing import Any

import pytest

from penstock.formats.aliases import (
    ATTRIBUTES,
    COLUMNS,
    count_of,
    finish_reason,
    metadata_column,
    parameter,
    provider,
    real_of,
    text_of,
    usage_columns,
)
from penstock.records.inference import Inference


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ("tool_calls", "tool_call"),
        ("tool-calls", "tool_call"),
        ("function_call", "tool_call"),
        ("STOP", "stop"),
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("content-filter", "content_filter"),
        ("stop", "stop"),
        ("something new", "something new"),
    ],
)
def test_finish_reasons_have_one_spelling_and_unknown_ones_stay(raw: str, named: str) -> None:
    assert finish_reason(raw) == named


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ("OpenAI", "openai"),
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("anthropic.messages", "anthropic"),
        ("AWS", "aws.bedrock"),
        ("amazon-bedrock", "aws.bedrock"),
        ("azure.ai.openai", "azure.ai.openai"),
        ("google.generative-ai", "gcp.gemini"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("my.own.server", "my.own.server"),
    ],
)
def test_providers_have_one_name_and_unknown_ones_stay(raw: str, named: str) -> None:
    assert provider(raw) == named


def test_parameters_have_one_name_and_what_is_none_of_the_models_has_none() -> None:
    assert [parameter(name) for name in ("maxOutputTokens", "n", "stop", "temperature")] == [
        "max_tokens",
        "choice.count",
        "stop_sequences",
        "temperature",
    ]
    assert [parameter(name) for name in ("maxRetries", "user", "messages")] == [None, None, None]


@pytest.mark.parametrize("name", ["session_id", "sessionId", "session.id", "Session-ID", "thread_id"])
def test_metadata_means_a_column_however_it_is_spelled(name: str) -> None:
    assert metadata_column(name) == "session_id"


def test_usage_is_read_whichever_provider_wrote_it() -> None:
    expected = {"input_tokens": 30, "output_tokens": 11, "cached_tokens": 4, "reasoning_tokens": 2}
    details = {"prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}
    assert usage_columns({"prompt_tokens": 30, "completion_tokens": 11, **details}) == expected
    langchain = {"input_token_details": {"cache_read": 4}, "output_token_details": {"reasoning": 2}}
    assert usage_columns({"input_tokens": 30, "output_tokens": 11, **langchain}) == expected
    gemini = {"promptTokenCount": 30, "candidatesTokenCount": 11, "cachedContentTokenCount": 4, "thoughtsTokenCount": 2}
    assert usage_columns(gemini) == expected
    assert usage_columns({"input": 30, "output": 11, "input_cached_tokens": 4, "output_reasoning_tokens": 2}) == expected


def test_what_anthropic_read_from_and_wrote_to_its_cache_is_part_of_the_input() -> None:
    told = {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2}
    assert usage_columns(told) == {"input_tokens": 9, "output_tokens": 2, "cached_tokens": 4, "cache_write_tokens": 2}


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 9, "cache_creation_input_tokens": 6},
        {"prompt_tokens": 9, "prompt_tokens_details": {"cache_write_tokens": 6}},
        {"prompt_tokens": 9, "prompt_tokens_details": {"cache_creation_tokens": 6}},
        {"input_tokens": 9, "input_token_details": {"cache_creation": 6}},
        {"input_tokens": 9, "input_token_details": {"cache_creation": 0, "ephemeral_5m_input_tokens": 6}},
        {"input_tokens": 9, "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 2}},
        {"inputTokens": 9, "inputTokenDetails": {"cacheWriteTokens": 6}},
        {"inputTokens": 9, "cacheWriteInputTokens": 6},
        {"input": 3, "output": 0, "input_cache_creation": 6, "total": 9},
    ],
)
def test_what_was_written_to_a_cache_is_read_whichever_provider_wrote_it(usage: dict[str, Any]) -> None:
    found = usage_columns(usage)
    assert (found["input_tokens"], found["cache_write_tokens"], found.get("cached_tokens")) == (9, 6, None)


@pytest.mark.parametrize(
    "name",
    [
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "llm.token_count.prompt_details.cache_write",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
    ],
)
def test_every_dialect_says_what_was_written_to_a_cache(name: str) -> None:
    assert ATTRIBUTES[name][:2] == ("cache_write_tokens", count_of)


@pytest.mark.parametrize("total", [{"total_tokens": 11}, {"prompt_tokens": 9}])
def test_counts_passed_on_with_a_total_hold_the_cache_already(total: dict[str, int]) -> None:
    """MLflow and LiteLLM give Anthropic's name to a part of the input."""
    told = {"input_tokens": 9, "output_tokens": 2, "cache_read_input_tokens": 4, **total}
    assert usage_columns(told) == {"input_tokens": 9, "output_tokens": 2, "cached_tokens": 4}


@pytest.mark.parametrize("usage", [None, 3, [], {"input_tokens": "many"}, {"prompt_tokens": -1}, {"prompt_tokens": True}])
def test_usage_that_is_none_is_left_out(usage: Any) -> None:
    assert usage_columns(usage) == {}


def test_values_are_read_out_of_text_and_nothing_is_made_up() -> None:
    assert (count_of("7"), count_of(7.0), count_of(2**63), count_of([1]), count_of(float("inf"))) == (7, 7, None, None, None)
    assert (real_of("0.5"), real_of("NaN"), real_of(False)) == (0.5, None, None)
    assert (text_of(""), text_of(None), text_of(["a"]), text_of("a")) == (None, None, '["a"]', "a")


def test_every_column_is_one_of_an_inference_and_no_attribute_means_two() -> None:
    assert set(COLUMNS) <= set(Inference.__struct_fields__)
    assert len(ATTRIBUTES) == sum(len(names) for names, _ in COLUMNS.values())


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("google-gla", "gcp.gemini"),
        ("google-vertex", "gcp.vertex_ai"),
        ("google-cloud", "gcp.vertex_ai"),
        ("vertex.anthropic.messages", "gcp.vertex_ai"),
    ],
)
def test_googles_providers_by_the_names_that_frameworks_give_them(raw: str, name: str) -> None:
    assert provider(raw) == name
