"""How likely a row is of a new kind: far from everything explained, and close to others that came with it.

Something new that matters comes in numbers, so what counts is how much denser the new rows lie around a row than the explained
ones do; a stray that resembles nothing at all is left behind. Features are put on one scale by their ranks among the explained
rows, so that neither units nor tails decide. What nothing explains can then be drawn for a person, novel rows first, within a
budget, and every draw has its probability.
"""

import numpy
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from penstock.errors import BadInputError

Floats = NDArray[numpy.float64]
NEIGHBOURS = 3
_NEAREST = 1e-3  # two rows count as no nearer to each other than this, in shares of a feature's range


def novelty(rows: ArrayLike, explained: ArrayLike, neighbours: int = NEIGHBOURS) -> Floats:
    """How many times as far a row's nearest explained rows lie as its nearest new ones; NaN counts as the middle of its feature.

    `BadInputError` where nothing is explained, or the two have different features.
    """
    new, known = numpy.atleast_2d(numpy.asarray(rows, float)), numpy.atleast_2d(numpy.asarray(explained, float))
    if known.size == 0 or new.shape[1] != known.shape[1]:
        raise BadInputError(f"Rows of shape {new.shape} cannot be compared with explained ones of shape {known.shape}.")
    places = _ranks(new, known)
    apart = _distance(places, _ranks(known, known), neighbours, itself=0)
    together = _distance(places, places, neighbours, itself=1) if len(new) > 1 else numpy.ones(1)
    return (apart + _NEAREST) / (together + _NEAREST)


def draw_probabilities(novelty: ArrayLike, budget: float, floor: float = 0.1) -> Floats:
    """With which probability each row is drawn: as many as the budget in expectation, the most novel ones first, none with 0.

    Most of the budget goes to some times as many rows of the highest rank, a share `floor` evenly to all, so that a row that
    looks ordinary can be drawn too. Raises BadInputError.
    """
    scores = numpy.asarray(novelty, dtype=float)
    if budget <= 0 or not 0 < floor <= 1 or not bool(numpy.all(numpy.isfinite(scores) & (scores >= 0))):
        raise BadInputError(f"A budget of {budget:g} with a floor of {floor:g} over these scores cannot be drawn by.")
    if len(scores) <= budget:
        return numpy.ones(len(scores))
    rank = numpy.searchsorted(numpy.sort(scores), scores, side="right") / len(scores)
    favoured = rank ** (len(scores) / budget)
    share = floor / len(scores) + (1 - floor) * favoured / favoured.sum()
    full = numpy.zeros(len(scores), dtype=bool)
    while True:  # what a certain draw would have too much goes to all others
        probability = numpy.where(full, 1.0, (budget - full.sum()) * share / share[~full].sum())
        fuller = full | (probability >= 1.0)
        if bool((fuller == full).all()):
            return numpy.asarray(probability)
        full = fuller


def _distance(rows: Floats, others: Floats, neighbours: int, itself: int) -> Floats:
    """The mean distance of each row to its nearest others, of which the first so many are the row itself."""
    nearest = min(neighbours + itself, len(others))
    distance, _which = cKDTree(others).query(rows, k=nearest)
    mean: Floats = numpy.asarray(distance, dtype=float).reshape(len(rows), nearest)[:, itself:].mean(axis=1)
    return mean


def _ranks(rows: Floats, reference: Floats) -> Floats:
    """Each value as the share of the reference's values below it, ties in the middle; from 0 to 1."""
    ranked = numpy.empty(rows.shape)
    for feature in range(rows.shape[1]):
        ordered = numpy.sort(reference[:, feature][~numpy.isnan(reference[:, feature])])
        low, high = numpy.searchsorted(ordered, rows[:, feature]), numpy.searchsorted(ordered, rows[:, feature], side="right")
        ranked[:, feature] = (low + high) / 2 / max(1, len(ordered))
    ranked[numpy.isnan(rows)] = 0.5
    return ranked
