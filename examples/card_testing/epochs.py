"""Detection by epoch: from the turn before which attackers began to use something new to the last one before the next novelty.

The first turn of an epoch meets what nothing has been trained on, the later ones what labels have told of it since. Whether
detection rises for good is a question about epochs; from one turn to the next it also falls, whenever something new appears.
"""

from collections.abc import Sequence

from examples.card_testing.attackers import APPEAR
from examples.card_testing.figures import Mean, TurnFigures, mean_of, mean_of_known
from examples.card_testing.stream import Scenario
from msgspec import Struct


class Epoch(Struct, frozen=True, kw_only=True):
    """The turns that serve while the same pattern is the newest."""

    day: float  # on which it appeared
    turns: tuple[int, ...]


class EpochFigures(Struct, frozen=True, kw_only=True):
    """One arm in one epoch, means over seeds; None where there was no later turn, or nothing of the newest pattern."""

    day: float
    first_turn: Mean  # detection of all attempts
    later_turns: Mean | None
    newest_at_first: Mean | None  # detection of the newest pattern alone
    newest_later: Mean | None


def epochs_of(scenario: Scenario) -> list[Epoch]:
    """The epochs of a stream from the first model on. A pattern that appears between two turns belongs to the next one."""
    turns = range((scenario.days - scenario.warm_up_days - 1) // scenario.turn_days + 1)
    since = [scenario.warm_up_days + turn * scenario.turn_days for turn in turns]
    newest = [max(day for day in APPEAR if day <= at) for at in since]
    return [Epoch(day=day, turns=tuple(turn for turn in turns if newest[turn] == day)) for day in sorted(set(newest))]


def figures_by_epoch(figures: Sequence[Sequence[TurnFigures]], epochs: Sequence[Epoch]) -> list[EpochFigures]:
    """One arm's epochs; `figures` are those of its seeds, turn by turn."""
    return [
        EpochFigures(
            day=epoch.day,
            first_turn=mean_of([one[epoch.turns[0]].detected for one in figures]),
            later_turns=_later(epoch, [[each.detected for each in one] for one in figures]),
            newest_at_first=mean_of_known([one[epoch.turns[0]].detected_of_newest for one in figures]),
            newest_later=_later(epoch, [[each.detected_of_newest for each in one] for one in figures]),
        )
        for epoch in epochs
    ]


def _later(epoch: Epoch, by_turn: Sequence[Sequence[float | None]]) -> Mean | None:
    """The mean of each seed's later turns, then of the seeds."""
    later = [mean_of_known([one[turn] for turn in epoch.turns[1:]]) for one in by_turn]
    return mean_of_known([None if one is None else one.value for one in later])
