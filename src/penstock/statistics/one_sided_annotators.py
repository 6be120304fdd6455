"""Annotators that only ever give one answer: how often they speak in each class, read against a model of the others.

A function that can say nothing but "bad" has no accuracy by agreement, and a model that takes its silence for an answer finds
whoever does more of everything instead of what is good. So it is held against the posterior of those that give both answers,
which it did not help to make. A posterior that is unsure blurs the rates; how unsure it is tells by how much, and that is undone.
"""

import numpy
from numpy.typing import NDArray

from penstock.errors import BadInputError
from penstock.statistics.votes import Floats

PRIOR_VOTES = 10.0  # so many times that an annotator speaks count as if it spoke alike in every class
LEAST_RATE = 1e-4  # no rate is closer to 0 or 1


def speaking_rates(posterior: Floats, spoke: NDArray[numpy.bool_], could: NDArray[numpy.bool_], times: Floats) -> Floats:
    """P(speaks | class), annotators by classes; speaking is taken as independent, given the class, of the posterior's votes.

    `posterior` is items by classes, `spoke` and `could` are items by annotators, and each item stands for so many `times`. With
    q the posterior, E[q_k speaks] = sum over y of P(y) E[q_k | y] P(speaks | y), which is solved for the last.
    """
    if spoke.shape != could.shape or spoke.shape[0] != len(posterior) or times.shape != (len(posterior),):
        raise BadInputError(
            f"Posterior {posterior.shape}, speaking {spoke.shape} and {could.shape}, and times {times.shape} do not fit together."
        )
    rates = [_rates(posterior, spoke[:, one], could[:, one], times) for one in range(spoke.shape[1])]
    return numpy.array(rates).reshape(spoke.shape[1], posterior.shape[1])


def _rates(posterior: Floats, spoke: NDArray[numpy.bool_], could: NDArray[numpy.bool_], times: Floats) -> Floats:
    counted = times * could
    total = float(counted.sum())
    number = float((counted * spoke).sum())
    overall = min(max(number / total, LEAST_RATE), 1.0 - LEAST_RATE) if total else LEAST_RATE
    flat = numpy.full(posterior.shape[1], overall)
    if number == 0 or number == total:
        return flat
    mixed = (posterior * counted[:, None]).T @ posterior / total  # P(y) E[q_k | y]
    spoken = posterior.T @ (counted * spoke) / total
    solved = numpy.clip(numpy.linalg.lstsq(mixed, spoken, rcond=1e-6)[0], LEAST_RATE, 1.0 - LEAST_RATE)
    rates: Floats = (number * solved + PRIOR_VOTES * flat) / (number + PRIOR_VOTES)
    return rates
