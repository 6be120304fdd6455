"""How often two annotators answered the same items, and how often they agreed: sums that can be added up over days.

Agreement beyond chance is the one trace that accuracies leave where no truth is known. With votes independent given the
class it is a product of one strength for each annotator; `triplets.py` reads the strengths from it, and
`correlated_annotators.py` the pairs that agree more than their strengths allow.
"""

import numpy
from msgspec import Struct
from scipy.sparse import csr_array, diags_array

from penstock.errors import BadInputError
from penstock.statistics.vote_patterns import vote_patterns
from penstock.statistics.votes import Floats, Votes, answer_counts

MOST_ANNOTATORS = 2_000  # a matrix of pairs then takes 32 MB, and there are about ten


class PairAgreements(Struct, frozen=True, kw_only=True):
    """Sums over items, for every pair of annotators; an annotator's several votes on an item count as shares of one."""

    shared: Floats  # annotators by annotators: items that both answered
    agreed: Floats  # annotators by annotators: items on which they agreed
    given: Floats  # classes by annotators by annotators: how often the first gave an answer where the second answered too


def pair_agreements(votes: Votes, multiplicity: Floats | None = None) -> PairAgreements:
    """The sums over these votes, each item counted `multiplicity` times; `BadInputError` for too many annotators."""
    if votes.annotators > MOST_ANNOTATORS:
        raise BadInputError(
            f"{votes.annotators} annotators have too many pairs; at most {MOST_ANNOTATORS} can be compared. Take the busiest."
        )
    if multiplicity is not None:
        return agreements_of_counts(answer_counts(votes), multiplicity, votes.classes)
    patterns = vote_patterns(votes)
    return agreements_of_counts(patterns.counts, patterns.multiplicity, votes.classes)


def agreements_of_counts(counts: csr_array, multiplicity: Floats, classes: int) -> PairAgreements:
    """The same sums, from how often each answer was given (as `answer_counts` has it) on items of which there are several."""
    answered, shares = _shares(counts, classes)
    number = diags_array(multiplicity)
    by_class = [csr_array(shares[:, kind::classes]) for kind in range(classes)]
    weighted = csr_array(number @ answered)
    return PairAgreements(
        shared=(answered.T @ weighted).toarray(),
        agreed=numpy.stack([(share.T @ (number @ share)).toarray() for share in by_class]).sum(axis=0),
        given=numpy.stack([(share.T @ weighted).toarray() for share in by_class]),
    )


def added(first: PairAgreements, second: PairAgreements) -> PairAgreements:
    """The sums over both: of two days, or of two parts of the traffic, with the same annotators."""
    if first.given.shape != second.given.shape:
        raise BadInputError(
            f"Sums of shapes {first.given.shape} and {second.given.shape} are of different annotators or classes."
        )
    return PairAgreements(
        shared=first.shared + second.shared, agreed=first.agreed + second.agreed, given=first.given + second.given
    )


def agreement_shares(sums: PairAgreements) -> Floats:
    """The share of shared items on which a pair agreed, annotators by annotators; NaN where they share none."""
    return _over(sums.agreed, sums.shared)


def chance_agreements(sums: PairAgreements) -> Floats:
    """How often a pair would agree if their answers had nothing to do with each other; NaN where they share no item."""
    return _over((sums.given * sums.given.transpose(0, 2, 1)).sum(axis=0), sums.shared * sums.shared)


def _over(sums: Floats, number: Floats) -> Floats:
    return numpy.where(number > 0, sums / numpy.where(number > 0, number, 1.0), numpy.nan)


def _shares(counts: csr_array, classes: int) -> tuple[csr_array, csr_array]:
    """Who answered (0 or 1, items by annotators), and the share of each answer among an annotator's own on the item."""
    cells = numpy.arange(counts.shape[1])
    membership = csr_array((numpy.ones(len(cells)), (cells, cells // classes)), shape=(len(cells), len(cells) // classes))
    totals = csr_array(counts @ membership)
    answered = csr_array((numpy.ones_like(totals.data), totals.indices, totals.indptr), shape=totals.shape)
    inverse = csr_array((1.0 / totals.data, totals.indices, totals.indptr), shape=totals.shape)
    return answered, csr_array(counts.multiply(inverse @ membership.T))
