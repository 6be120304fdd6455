"""What a call costs: the price of its model times its tokens, and nothing made up."""

from datetime import timedelta
from typing import Any

import pytest

from penstock.ingest.interactions import build_interactions
from penstock.ingest.prices import load_prices
from penstock.settings import PriceSettings
from tests.rows import LATER, make_span, trace

NOBODY = dict.fromkeys(
    (
        "request_model",
        "response_model",
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
    )
)
GPT_4O = (2.5, 1.25, 10.0)


def cost(model: str | None = "gpt-4o", tokens_in: int | None = 1_000_000, out: int | None = 0, **fields: Any) -> float | None:
    call = {**NOBODY, "response_model": model, "input_tokens": tokens_in, "output_tokens": out, **fields}
    return load_prices({}).cost(call)


def test_input_and_output_have_their_prices() -> None:
    assert cost(tokens_in=1000, out=500) == pytest.approx((1000 * GPT_4O[0] + 500 * GPT_4O[2]) / 1e6)


def test_cached_tokens_are_part_of_the_input_and_reasoning_tokens_of_the_output() -> None:
    with_both = cost(tokens_in=1000, out=500, cached_tokens=400, reasoning_tokens=450)
    assert with_both == pytest.approx((600 * GPT_4O[0] + 400 * GPT_4O[1] + 500 * GPT_4O[2]) / 1e6)


def test_more_cached_tokens_than_input_were_not_counted_in_it() -> None:
    assert cost(tokens_in=10, cached_tokens=400) == pytest.approx((10 * GPT_4O[0] + 400 * GPT_4O[1]) / 1e6)


def test_written_tokens_are_part_of_the_input_and_have_the_price_of_writing() -> None:
    of_all = cost("claude-sonnet-4", 1000, 500, cached_tokens=400, cache_write_tokens=200)
    assert of_all == pytest.approx((400 * 3.0 + 400 * 0.3 + 200 * 3.75 + 500 * 15.0) / 1e6)
    beside = cost("claude-sonnet-4", 10, cached_tokens=400, cache_write_tokens=200)
    assert beside == pytest.approx((10 * 3.0 + 400 * 0.3 + 200 * 3.75) / 1e6)


def test_writing_to_the_cache_costs_as_the_input_where_it_has_no_price_and_counts_towards_the_limit() -> None:
    assert cost("gpt-4o", 1000, cache_write_tokens=400) == cost("gpt-4o", 1000)
    assert cost("claude-sonnet-4", 100, cache_write_tokens=199_900) is not None
    assert cost("claude-sonnet-4", 100, cache_write_tokens=199_901) is None
    free = load_prices({"gpt-4o": PriceSettings(input=1, output=1, cache_write_input=0)})
    call = {**NOBODY, "response_model": "gpt-4o", "input_tokens": 10, "output_tokens": 0, "cache_write_tokens": 10}
    assert free.cost(call) == 0


@pytest.mark.parametrize(
    ("model", "same_as"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("openai/gpt-4o", "gpt-4o"),
        ("GPT-4o", "gpt-4o"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-4.1-2025-04-14", "gpt-4.1"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
        ("claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("claude-3-5-sonnet@20241022", "claude-3-5-sonnet"),
        ("models/gemini-2.0-flash-001", "gemini-2.0-flash"),
    ],
)
def test_a_version_costs_what_its_model_costs(model: str, same_as: str) -> None:
    assert cost(model) == cost(same_as)
    assert cost(model)


def test_a_version_with_a_price_of_its_own_has_that_one() -> None:
    assert cost("gpt-4o-2024-05-13") == 5.0


@pytest.mark.parametrize(
    "model",
    [
        "",
        None,
        "my-model",
        "gpt-4o-audio-preview",
        "claude-opus-4-7",
        "ft:gpt-4o-2024-08-06:acme::x",
        "gpt-4o2",
        "gpt-4-turbo-vision",
    ],
)
def test_an_unknown_model_costs_null_never_zero(model: str | None) -> None:
    assert cost(model) is None


@pytest.mark.parametrize("fields", [{"tokens_in": None}, {"out": None}])
def test_missing_tokens_cost_null(fields: dict[str, Any]) -> None:
    assert cost(**fields) is None


def test_a_price_that_does_not_hold_costs_null() -> None:
    assert cost("gemini-2.5-pro", 200_000) == 0.25
    assert cost("gemini-2.5-pro", 200_001) is None
    assert cost("gpt-4", 1000, cached_tokens=10) is None


def test_the_model_asked_for_counts_where_the_one_that_answered_is_unknown() -> None:
    assert cost("my-deployment", request_model="gpt-4o") == 2.5
    assert cost(None, request_model="gpt-4o") == 2.5
    assert cost("gpt-4o-mini", request_model="gpt-4o") == 0.15


def test_the_file_adds_and_overrides() -> None:
    prices = load_prices(
        {
            "gpt-4o": PriceSettings(input=1, output=1),
            "acme-*": PriceSettings(input=2, output=2),
            "acme-big-*": PriceSettings(input=3, output=3),
            "Deployment": PriceSettings(input=4, output=4),
        }
    )
    found = {
        model: prices.find(model) for model in ("gpt-4o-2024-08-06", "acme-small", "acme-big-2", "Deployment", "gpt-4o-mini")
    }
    assert [price and price.input for price in found.values()] == [1, 2, 3, 4, 0.15]


def test_the_table_says_of_which_day_it_is() -> None:
    assert load_prices({}).as_of.year >= 2025


def test_settling_prices_a_call_that_states_no_cost_and_leaves_one_that_does() -> None:
    tokens = {"request_model": "gpt-4o", "input_tokens": 1_000_000, "output_tokens": 0, "cache_write_tokens": 5}
    spans = [
        make_span(trace(1), "s", **tokens),
        make_span(trace(2), "s", **tokens, cost=0.0),
        make_span(trace(3), "s", **{**tokens, "request_model": "unheard-of"}),
    ]
    built = build_interactions(spans, LATER + timedelta(hours=1), load_prices({}).cost)
    assert [interaction.cost for interaction in built] == [2.5, 0.0, None]
