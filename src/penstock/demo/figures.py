"""The demo's figures, every one of them out of the lake by `penstock sql`, with 95 % intervals."""

import math
from typing import Any

from msgspec import Struct

from penstock.demo.program import Program

# Per phase: how many requests, how many were answered with a suggestion, how many of those were kept, and the mean reward.
PHASE_QUERY = """
WITH seen AS (
    SELECT i.interaction_id, s.name AS fate, s.value AS kept, l.value AS reward
    FROM interactions i
    JOIN signals s ON s.interaction_id = i.interaction_id AND s.name IN ('acceptance', 'silent')
    LEFT JOIN labels l ON l.interaction_id = i.interaction_id AND l.dimension = 'reward'
        AND l.label_id NOT IN (SELECT supersedes FROM labels WHERE supersedes IS NOT NULL)
    WHERE i.tags['phase'] = '{phase}' AND i.exposure = 'simulated'
)
SELECT count(*) AS requests,
       count(*) FILTER (fate = 'acceptance') AS suggestions,
       count(*) FILTER (fate = 'acceptance' AND kept >= 0.5) AS accepted,
       avg(reward) AS reward,
       stddev_samp(reward) / sqrt(count(reward)) AS reward_error
FROM seen
"""


class Figures(Struct, frozen=True, kw_only=True):
    """What users saw in one phase."""

    requests: int
    suggestions: int
    accepted: int
    reward: float
    reward_error: float

    @property
    def acceptance(self) -> float:
        """Accepted of those suggested."""
        return self.accepted / self.suggestions if self.suggestions else 0.0

    @property
    def suggestion_rate(self) -> float:
        """Suggested of all requests."""
        return self.suggestions / self.requests if self.requests else 0.0

    @property
    def acceptance_margin(self) -> float:
        """Half of the 95 % interval."""
        return 1.96 * math.sqrt(self.acceptance * (1 - self.acceptance) / max(1, self.suggestions))

    @property
    def reward_margin(self) -> float:
        """Half of the 95 % interval."""
        return 1.96 * self.reward_error


async def read_figures(program: Program, phase: str) -> Figures:
    """The figures of one phase, as far as it has been labelled."""
    rows: list[dict[str, Any]] = await program.sql(PHASE_QUERY.format(phase=phase))
    row = rows[0]
    return Figures(
        requests=row["requests"],
        suggestions=row["suggestions"],
        accepted=row["accepted"],
        reward=row["reward"] or 0.0,
        reward_error=row["reward_error"] or 0.0,
    )
