"""What an interaction cost: its tokens times the list price of its model, where the span states no cost of its own.

A model is known by its name, else by the longest known name that only a version follows (gpt-4o-2024-08-06 is gpt-4o;
gpt-4o-audio-preview is not). An unknown model, missing tokens or a price that does not hold give None, never zero.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from importlib import resources
from typing import Any

import msgspec
from msgspec import Struct

from penstock.settings import PriceSettings

_PER_TOKENS = 1_000_000
_MOST_FOUND = 10_000
_TABLE = "prices.toml"
# A date, a build number or "latest": what vendors append to a name without changing its price.
_VERSION = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{3,4}|latest)")
_VENDOR = re.compile(r"^(?:openai|anthropic|google|models|gemini|vertex_ai)/")


class PriceTable:
    """Prices by model."""

    def __init__(self, prices: Mapping[str, PriceSettings], as_of: date) -> None:
        self.as_of = as_of
        self._exact = {name: price for name, price in prices.items() if not name.endswith("*")}
        families = (name for name in prices if name.endswith("*"))
        self._found: dict[str, PriceSettings | None] = {}  # the few models that are seen again and again
        self._families = [(name[:-1], prices[name]) for name in sorted(families, key=len, reverse=True)]

    def find(self, model: str) -> PriceSettings | None:
        """The price of a model, by its name or the longest known one that a version, or with `*` anything, follows."""
        if model not in self._found:
            if len(self._found) >= _MOST_FOUND:
                self._found.clear()
            self._found[model] = self._find(model)
        return self._found[model]

    def _find(self, model: str) -> PriceSettings | None:
        name = _VENDOR.sub("", model.strip().lower())
        price = self._exact.get(model) or self._exact.get(name)
        if price is not None:
            return price
        version = next((found for found in _VERSION.finditer(name) if found.end() == len(name)), None)
        if version is not None and (price := self._exact.get(name[: version.start()])) is not None:
            return price
        return next((price for prefix, price in self._families if model.startswith(prefix) or name.startswith(prefix)), None)

    def cost(self, call: Mapping[str, Any]) -> float | None:
        """US dollars for the columns of a call, or None where they cannot be told.

        The model that answered comes before the one asked for. What was read from and written to a cache is part of the input,
        reasoning of the output.
        """
        models = (call["response_model"], call["request_model"])
        price = next((found for model in models if model and (found := self.find(model)) is not None), None)
        input_tokens, output_tokens = call["input_tokens"], call["output_tokens"]
        cached, written = call["cached_tokens"] or 0, call["cache_write_tokens"] or 0
        if price is None or input_tokens is None or output_tokens is None:
            return None
        # Some producers leave the cache's tokens out of the input; then there may be more of them than of it.
        uncached = input_tokens - cached - written if cached + written <= input_tokens else input_tokens
        if price.max_input_tokens and uncached + cached + written > price.max_input_tokens:
            return None
        if cached and price.cached_input is None:
            return None
        dollars: float = uncached * price.input + cached * (price.cached_input or 0.0) + output_tokens * price.output
        dollars += written * (price.input if price.cache_write_input is None else price.cache_write_input)
        return dollars / _PER_TOKENS


class _ShippedTable(Struct, frozen=True, forbid_unknown_fields=True):
    as_of: date
    models: dict[str, PriceSettings]


def load_prices(overrides: Mapping[str, PriceSettings]) -> PriceTable:
    """The table that is shipped, and over it the one of penstock.toml."""
    content: dict[str, Any] = tomllib.loads(resources.files("penstock.ingest").joinpath(_TABLE).read_text(encoding="utf-8"))
    shipped = msgspec.convert(content, _ShippedTable)
    return PriceTable({**shipped.models, **overrides}, shipped.as_of)
