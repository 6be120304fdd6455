"""How far two readers of the same pairs agree."""

from collections.abc import Sequence

from benchmarks.signal_accuracy.figures import share

from penstock.statistics.intervals import wilson_interval

AGREEMENT = ("readers", "pairs", "both say the same again", "agree", "kappa")


def agreement(readers: str, judged: Sequence[tuple[bool, bool]]) -> tuple[str, ...]:
    """A line with AGREEMENT: the share on which both say the same, and Cohen's kappa."""
    both = sum(one and other for one, other in judged)
    agreed = sum(one == other for one, other in judged)
    return (readers, str(len(judged)), str(both), share(agreed, len(judged)), _kappa(judged))


def _kappa(judged: Sequence[tuple[bool, bool]]) -> str:
    """Agreement beyond chance, over all there could be; the interval is that of agreement, with chance held where it is."""
    pairs = len(judged)
    if not pairs:
        return "-"
    yes, other_yes = (sum(says[reader] for says in judged) / pairs for reader in (0, 1))
    chance = yes * other_yes + (1 - yes) * (1 - other_yes)
    if chance == 1.0:
        return "-"
    agreed = sum(one == other for one, other in judged)
    bounds = wilson_interval(agreed, pairs)
    kappa, low, high = ((share - chance) / (1 - chance) for share in (agreed / pairs, bounds.low, bounds.high))
    return f"{kappa:.3f} ({low:.3f}-{high:.3f})"
