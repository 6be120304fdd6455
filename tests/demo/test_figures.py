"""The demo's figures come out of the lake by one query."""

import pytest

from penstock.demo.figures import Figures, figures_of, figures_query
from penstock.lake.lake import Lake
from penstock.records.label import Label
from tests.rows import LATER, make_interaction, make_signal


def test_the_query_counts_fates_and_standing_rewards_by_phase_and_language(lake: Lake) -> None:
    shown = [make_interaction(number, segment="py", exposure="simulated", tags={"phase": "typed-1"}) for number in range(4)]
    others = [
        make_interaction(10, segment="py", exposure="served", tags={"phase": "typed-1"}),
        make_interaction(11, segment="sql", exposure="simulated", tags={"phase": "typed-2"}),
    ]
    lake.append("interactions", [*shown, *others])
    lake.append(
        "signals",
        [
            make_signal("acceptance", shown[0], 1.0), make_signal("acceptance", shown[1], 0.0),
            make_signal("silent", shown[2], 1.0), make_signal("retry", shown[3], 1.0),
        ],
    )  # fmt: skip

    def label(identifier: str, interaction: str, value: float, supersedes: str | None = None) -> Label:
        return Label(
            label_id=identifier, target_kind="interaction", target_id=interaction, interaction_id=interaction,
            schema="response-quality", schema_version=1, dimension="reward", value=value, annotator_kind="program",
            annotator="reward@1", known_at=LATER, started_at=shown[0].started_at, supersedes=supersedes,
        )  # fmt: skip

    lake.append(
        "labels",
        [
            label("a", shown[0].interaction_id, 0.75), label("b", shown[1].interaction_id, 0.75),
            label("c", shown[1].interaction_id, -0.25, "b"), label("d", shown[2].interaction_id, 0.0),
        ],
    )  # fmt: skip
    rows = lake.sql_connection().select(figures_query()).to_pylist()
    assert [(row["phase"], row["language"], row["requests"]) for row in rows] == [("typed-1", "py", 4), ("typed-2", "sql", 1)]
    seen = figures_of(rows, "typed-1", {"py"})
    assert (seen.signals, seen.labels, seen.suggestions, seen.accepted) == (3, 3, 2, 1)
    assert seen.reward == pytest.approx(0.5 / 3)
    assert figures_of(rows, "typed-1", {"sql"}) == Figures()


def test_nothing_seen_is_no_division_by_zero() -> None:
    nothing = Figures()
    assert (nothing.acceptance, nothing.suggestion_rate, nothing.reward) == (0.0, 0.0, 0.0)
    assert (nothing.acceptance_margin, nothing.suggestion_margin, nothing.reward_margin) == (0.0, 0.0, 0.0)


def test_the_intervals_are_those_of_a_share_and_of_a_mean() -> None:
    seen = Figures(requests=400, labels=400, suggestions=100, accepted=50, reward_sum=40.0, reward_squared=104.0)
    assert seen.acceptance_margin == pytest.approx(1.96 * 0.05)
    assert seen.suggestion_margin == pytest.approx(1.96 * (0.25 * 0.75 / 400) ** 0.5)
    variance = (104.0 - 400 * 0.01) / 399
    assert seen.reward_margin == pytest.approx(1.96 * (variance / 400) ** 0.5)
