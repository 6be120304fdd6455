"""Votes in, probabilities out, with copies joined and audits kept."""

import numpy
import pytest

from penstock.errors import BadInputError
from penstock.statistics.label_model import fit_label_model
from penstock.statistics.votes import votes_from_matrix
from tests.statistics.crowd_sets import crowd, needs_crowds
from tests.statistics.simulated_votes import binary_votes

RIGHT = [0.65, 0.65, 0.65, 0.7, 0.75, 0.8, 0.85]
COPIES = [(0, 1, 1.0), (0, 2, 0.9)]


@pytest.mark.parametrize(("method", "least"), [("majority", 0.82), ("dawid_skene", 0.88), ("triplets", 0.88)])
def test_every_method_counts_a_copied_function_once(method, least):
    matrix, truth = binary_votes(6_000, RIGHT, copies=COPIES, share_of_one=0.4, abstain=0.1, seed=6)
    votes = votes_from_matrix(matrix)
    joined = fit_label_model(votes, method=method)
    apart = fit_label_model(votes, method=method, merge_correlated=False)
    assert joined.groups[0] == (0, 1, 2)
    assert len(apart.groups) == 7
    assert numpy.mean(joined.answer == truth) > max(least, numpy.mean(apart.answer == truth))
    assert joined.posterior.sum(axis=1) == pytest.approx(numpy.ones(6_000))
    assert joined.prevalence.sum() == pytest.approx(1.0)
    assert joined.converged


def test_an_item_nobody_answered_has_no_answer():
    matrix, _ = binary_votes(500, RIGHT)
    matrix[0] = -1
    model = fit_label_model(votes_from_matrix(matrix))
    assert model.answer[0] == -1
    assert model.answer[1:].min() >= 0


@pytest.mark.parametrize("method", ["majority", "dawid_skene", "triplets"])
def test_audited_items_keep_their_class_and_tell_the_noise_of_each_annotator(method):
    matrix, truth = binary_votes(2_000, RIGHT, seed=7)
    matrix[0] = -1
    audited = numpy.where(numpy.arange(2_000) < 300, truth, -1)
    model = fit_label_model(votes_from_matrix(matrix), method=method, truth=audited)
    assert model.answer[:300].tolist() == truth[:300].tolist()
    assert model.posterior[numpy.arange(300), truth[:300]].min() == 1.0
    rates = numpy.einsum("jkk->jk", model.noise.confusion)
    assert rates == pytest.approx(numpy.tile(RIGHT, (2, 1)).T, abs=0.12)
    assert fit_label_model(votes_from_matrix(matrix), method=method).noise is None


@needs_crowds
def test_a_real_crowd_is_answered_as_well_as_published():
    votes, truth = crowd("d_product")
    assert numpy.mean(fit_label_model(votes).answer == truth) >= 0.9366


def test_an_unknown_method_is_refused_by_name():
    with pytest.raises(BadInputError, match="'wishful'"):
        fit_label_model(votes_from_matrix([[0, 1], [1, 1]]), method="wishful")


def test_one_annotator_or_one_class_is_refused():
    with pytest.raises(BadInputError, match="Only annotator"):
        fit_label_model(votes_from_matrix([[0], [1]]))
    with pytest.raises(BadInputError, match="Every vote"):
        fit_label_model(votes_from_matrix([[1, 1], [1, 1]]))
