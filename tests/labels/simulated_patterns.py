"""Patterns of votes of users whose satisfaction is known, counted as the engine would."""

import numpy

from penstock.labels.cast_votes import Patterns
from penstock.labels.labelling_functions import FUNCTIONS, of_dimension

# Functions of one answer, with the share of bad and of good interactions on which they vote.
SINGLE = {"copied": (0.08, 0.25), "retried": (0.15, 0.03), "complained": (0.12, 0.01), "regenerated": (0.08, 0.015)}
# Pairs of functions, with the share of interactions that they vote on, and how often they are right on good and on bad ones.
BOTH = {
    ("rated_high", "rated_low"): (0.02, 0.9, 0.85),
    ("accepted", "rejected"): (0.15, 0.85, 0.75),
    ("completed", "not_completed"): (0.5, 0.75, 0.7),
    ("edited_lightly", "rewritten"): (0.1, 0.8, 0.8),
}
ALL = (*SINGLE, *(name for pair in BOTH for name in pair))
ORDERED = of_dimension(FUNCTIONS.values(), "good")


class Simulated:
    """So many interactions; `spread` is how much some users do more of everything than others, whatever they think."""

    def __init__(self, number=60_000, good=0.7, spread=0.0, audited=0.0, functions=ALL, seed=0):
        generator = numpy.random.default_rng(seed)
        self.truth = (generator.random(number) < good).astype(int)
        busy = numpy.exp(spread * generator.standard_normal(number) - spread**2 / 2)
        self.fired = numpy.zeros(number, dtype=numpy.int64)
        for name, (bad_share, good_share) in SINGLE.items():
            votes = generator.random(number) < numpy.minimum(0.95, busy * numpy.where(self.truth, good_share, bad_share))
            self.add(name, votes & (name in functions))
        for (for_good, for_bad), (share, on_good, on_bad) in BOTH.items():
            votes = generator.random(number) < numpy.minimum(0.95, busy * share)
            says_good = self.truth == (generator.random(number) < numpy.where(self.truth, on_good, on_bad))
            self.add(for_good, votes & says_good & (for_good in functions))
            self.add(for_bad, votes & ~says_good & (for_bad in functions))
        self.asked = numpy.where(generator.random(number) < audited, self.truth, -1)
        self.drawn = audited or 1.0

    def add(self, name, votes):
        """Let a function vote."""
        self.fired[votes] |= 1 << next(place for place, one in enumerate(ORDERED) if one.name == name)

    def patterns(self):
        """The patterns, and which of them each interaction shows."""
        rows, place, times = numpy.unique(
            numpy.column_stack((self.fired, self.asked)), axis=0, return_inverse=True, return_counts=True
        )
        flags = numpy.ones(len(rows), dtype=bool)
        patterns = Patterns(
            application=["chat"] * len(rows),
            went_on=flags,
            is_old=flags,
            fired=rows[:, 0],
            truth=rows[:, 1],
            drawn=numpy.full(len(rows), self.drawn),
            times=times.astype(float),
        )
        return patterns, place.ravel()
