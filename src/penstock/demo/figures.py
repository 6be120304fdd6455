"""The demo's figures, every one of them out of the lake by one `penstock sql` query, with 95 % intervals."""

import math
from collections.abc import Collection, Iterable, Mapping
from importlib.resources import files
from typing import Any

from msgspec import Struct

Z95 = 1.96


class Figures(Struct, frozen=True, kw_only=True):
    """What users saw in one phase, and how far it has been worked out."""

    requests: int = 0
    signals: int = 0
    labels: int = 0
    suggestions: int = 0
    accepted: int = 0
    reward_sum: float = 0.0
    reward_squared: float = 0.0

    @property
    def acceptance(self) -> float:
        """Accepted of those suggested."""
        return self.accepted / self.suggestions if self.suggestions else 0.0

    @property
    def suggestion_rate(self) -> float:
        """Suggested of all requests."""
        return self.suggestions / self.requests if self.requests else 0.0

    @property
    def reward(self) -> float:
        """Mean reward of a request."""
        return self.reward_sum / self.labels if self.labels else 0.0

    @property
    def acceptance_margin(self) -> float:
        """Half of the 95 % interval."""
        return Z95 * math.sqrt(self.acceptance * (1 - self.acceptance) / max(1, self.suggestions))

    @property
    def suggestion_margin(self) -> float:
        """Half of the 95 % interval."""
        return Z95 * math.sqrt(self.suggestion_rate * (1 - self.suggestion_rate) / max(1, self.requests))

    @property
    def reward_margin(self) -> float:
        """Half of the 95 % interval."""
        if self.labels < 2:
            return 0.0
        variance = (self.reward_squared - self.labels * self.reward**2) / (self.labels - 1)
        return Z95 * math.sqrt(max(0.0, variance) / self.labels)


def figures_query() -> str:
    """The query, as it is also left in the demo's home."""
    return files("penstock.demo").joinpath("figures.sql").read_text(encoding="utf-8")


def figures_of(rows: Iterable[Mapping[str, Any]], phase: str, languages: Collection[str]) -> Figures:
    """The figures of one phase over some languages."""
    chosen = [row for row in rows if row["phase"] == phase and row["language"] in languages]

    def total(name: str) -> Any:
        return sum(row[name] for row in chosen)

    return Figures(
        requests=total("requests"),
        signals=total("signals"),
        labels=total("labels"),
        suggestions=total("suggestions"),
        accepted=total("accepted"),
        reward_sum=total("reward"),
        reward_squared=total("reward_squared"),
    )
