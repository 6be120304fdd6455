"""How unlike everything known a row is: its mean distance to its nearest neighbours among rows that are explained.

Features are put on one scale by their ranks among the reference, so that neither units nor tails decide. What nothing explains
can then be drawn for a person in proportion to its novelty, within a budget, and every draw has its probability.
"""

import numpy
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from penstock.errors import BadInputError

Floats = NDArray[numpy.float64]
NEIGHBOURS = 10


def novelty(rows: ArrayLike, reference: ArrayLike, neighbours: int = NEIGHBOURS) -> Floats:
    """The mean distance of each row to its nearest reference rows, 0 or more; NaN counts as the middle of its feature.

    `BadInputError` where there is no reference, or the two have different features.
    """
    asked, known = numpy.atleast_2d(numpy.asarray(rows, float)), numpy.atleast_2d(numpy.asarray(reference, float))
    if known.size == 0 or asked.shape[1] != known.shape[1]:
        raise BadInputError(f"Rows of shape {asked.shape} cannot be compared with a reference of shape {known.shape}.")
    nearest = min(neighbours, len(known))
    distance, _which = cKDTree(_ranks(known, known)).query(_ranks(asked, known), k=nearest)
    mean: Floats = numpy.asarray(distance, dtype=float).reshape(len(asked), nearest).mean(axis=1)
    return mean


def draw_probabilities(novelty: ArrayLike, budget: float, floor: float = 0.1) -> Floats:
    """With which probability each row is drawn: by its novelty, as many as the budget in expectation, none with 0.

    A share `floor` of the budget is spread evenly, so that a row that looks ordinary can be drawn too. Raises BadInputError.
    """
    scores = numpy.asarray(novelty, dtype=float)
    if budget <= 0 or not 0 < floor <= 1 or not bool(numpy.all(numpy.isfinite(scores) & (scores >= 0))):
        raise BadInputError(f"A budget of {budget:g} with a floor of {floor:g} over these scores cannot be drawn by.")
    if len(scores) <= budget:
        return numpy.ones(len(scores))
    even = numpy.full(len(scores), 1 / len(scores))
    share = floor * even + (1 - floor) * (scores / scores.sum() if scores.sum() > 0 else even)
    full = numpy.zeros(len(scores), dtype=bool)
    while True:  # what a certain draw would have too much goes to all others
        probability = numpy.where(full, 1.0, (budget - full.sum()) * share / share[~full].sum())
        fuller = full | (probability >= 1.0)
        if bool((fuller == full).all()):
            return numpy.asarray(probability)
        full = fuller


def _ranks(rows: Floats, reference: Floats) -> Floats:
    """Each value as the share of the reference's values below it, ties in the middle; from 0 to 1."""
    ranked = numpy.empty(rows.shape)
    for feature in range(rows.shape[1]):
        ordered = numpy.sort(reference[:, feature][~numpy.isnan(reference[:, feature])])
        low, high = numpy.searchsorted(ordered, rows[:, feature]), numpy.searchsorted(ordered, rows[:, feature], side="right")
        ranked[:, feature] = (low + high) / 2 / max(1, len(ordered))
    ranked[numpy.isnan(rows)] = 0.5
    return ranked
