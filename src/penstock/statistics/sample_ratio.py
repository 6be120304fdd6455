"""Whether the arms got the traffic they should have got; where they did not, every other comparison of them is void.

The chi-square test is for one look. A canary is looked at again and again, so it uses the sequential test, whose p-value
holds at every look: an average of Dirichlet-multinomial Bayes factors, which is itself an e-value.
"""

from collections.abc import Sequence

import numpy
from scipy.special import chdtrc, gammaln, logsumexp

MINIMUM_EXPECTED = 8.0  # fewer per arm say nothing
CONCENTRATIONS = (2.0, 200.0, 20_000.0)  # priors for gross, small and tiny imbalance


def sample_ratio_p(counts: Sequence[int], shares: Sequence[float]) -> float:
    """The chi-square p-value of these counts under the shares that were meant; 1 while there are too few."""
    observed, expected = numpy.asarray(counts, dtype=float), _expected(counts, shares)
    if expected.min() < MINIMUM_EXPECTED:
        return 1.0
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return float(chdtrc(len(observed) - 1, statistic))


def sequential_sample_ratio_p(counts: Sequence[int], shares: Sequence[float]) -> float:
    """The p-value of these counts, valid at every look; 1 while there are too few."""
    observed, expected = numpy.asarray(counts, dtype=float), _expected(counts, shares)
    if expected.min() < MINIMUM_EXPECTED:
        return 1.0
    share = expected / expected.sum()
    null = float((observed * numpy.log(share)).sum())
    factors = [
        _log_dirichlet(concentration * share + observed) - _log_dirichlet(concentration * share)
        for concentration in CONCENTRATIONS
    ]
    log_evidence = float(logsumexp(factors)) - float(numpy.log(len(factors))) - null
    return float(numpy.exp(min(0.0, -log_evidence)))


def _expected(counts: Sequence[int], shares: Sequence[float]) -> numpy.ndarray[tuple[int], numpy.dtype[numpy.float64]]:
    share = numpy.asarray(shares, dtype=float)
    expected: numpy.ndarray[tuple[int], numpy.dtype[numpy.float64]] = share / share.sum() * float(sum(counts))
    return expected


def _log_dirichlet(weights: numpy.ndarray[tuple[int], numpy.dtype[numpy.float64]]) -> float:
    return float(gammaln(weights).sum() - gammaln(weights.sum()))
