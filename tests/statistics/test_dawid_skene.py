"""The model against its own paper, against published results on real crowds, and against votes drawn from it."""

import numpy
import pytest

from penstock.errors import BadInputError
from penstock.statistics.dawid_skene import dawid_skene, posterior_of
from penstock.statistics.majority_vote import majority_vote
from penstock.statistics.votes import votes_from_columns, votes_from_matrix
from tests.statistics.crowd_sets import anaesthetists, crowd, needs_crowds
from tests.statistics.simulated_votes import binary_votes, confused_votes

CONFUSION = numpy.array(
    [
        [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.0, 0.2, 0.8]],
        [[0.6, 0.4, 0.0], [0.1, 0.9, 0.0], [0.1, 0.5, 0.4]],
        [[0.9, 0.0, 0.1], [0.2, 0.7, 0.1], [0.2, 0.1, 0.7]],
        [[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.2, 0.5]],
        [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]],
    ]
)
PREVALENCE = (0.5, 0.3, 0.2)


def test_the_anaesthetists_patients_have_the_published_prevalences():
    model = dawid_skene(anaesthetists())
    assert model.converged
    assert model.prevalence == pytest.approx([0.4000, 0.4216, 0.1118, 0.0667], abs=0.001)  # .40 .42 .11 .07 in the paper
    assert model.confusion.sum(axis=2) == pytest.approx(numpy.ones((5, 4)))
    assert model.posterior.sum(axis=1) == pytest.approx(numpy.ones(45))


@needs_crowds
@pytest.mark.parametrize(("name", "accuracy"), [("d_product", 0.9397), ("rte", 0.9275), ("bluebird", 0.8889)])
def test_real_crowds_are_right_at_least_as_often_as_published(name, accuracy):
    votes, truth = crowd(name)
    model = dawid_skene(votes)
    right = numpy.mean(model.posterior.argmax(axis=1) == truth)
    assert right >= accuracy - 0.001
    assert right > numpy.mean(majority_vote(votes).answer == truth) + 0.03
    assert model.converged


def test_confusion_matrices_and_prevalences_are_recovered():
    matrix, truth = confused_votes(20_000, CONFUSION, PREVALENCE)
    model = dawid_skene(votes_from_matrix(matrix))
    assert model.prevalence == pytest.approx(PREVALENCE, abs=0.02)
    assert numpy.abs(model.confusion - CONFUSION).max() < 0.03
    certain = model.posterior.max(axis=1) > 0.95
    assert numpy.mean(model.posterior.argmax(axis=1)[certain] == truth[certain]) > 0.95


def test_the_log_posterior_never_falls():
    for votes in (anaesthetists(), votes_from_matrix(binary_votes(500, [0.8, 0.6, 0.7], abstain=0.4)[0])):
        for abstentions in ("ignored",) if votes.items == 45 else ("ignored", "informative"):
            trace = dawid_skene(votes, abstentions=abstentions).log_posterior
            assert len(trace) > 3
            assert numpy.diff(trace).min() > -1e-6


def test_iterations_that_run_out_are_told():
    assert not dawid_skene(anaesthetists(), most_iterations=3).converged


def test_an_annotator_who_always_errs_is_turned_round():
    matrix, truth = binary_votes(4_000, [0.85, 0.8, 0.05], seed=2)
    model = dawid_skene(votes_from_matrix(matrix))
    assert model.confusion[2, 1, 0] == pytest.approx(0.95, abs=0.03)
    assert numpy.mean(model.posterior.argmax(axis=1) == truth) > 0.95


def test_an_item_without_votes_gets_the_prevalence_and_moves_nothing():
    matrix, _ = binary_votes(1_000, [0.8, 0.7, 0.9], share_of_one=0.3)
    alone = dawid_skene(votes_from_matrix(matrix))
    among = dawid_skene(votes_from_matrix(numpy.vstack((matrix, numpy.full((500, 3), -1)))))
    assert among.prevalence == pytest.approx(alone.prevalence)
    assert among.posterior[-1] == pytest.approx(alone.prevalence, abs=1e-6)


def test_functions_that_only_say_yes_speak_by_their_silence():
    generator = numpy.random.default_rng(4)
    truth = (generator.random(5_000) < 0.4).astype(int)
    fires = generator.random((5_000, 5)) < numpy.where(truth[:, None] == 1, 0.6, 0.1)
    matrix = numpy.where(fires, 1, -1)
    matrix[:50, 0] = 0  # somebody has to say no now and then
    informed = dawid_skene(votes_from_matrix(matrix), abstentions="informative")
    ignorant = dawid_skene(votes_from_matrix(matrix))
    right = [numpy.mean(model.posterior.argmax(axis=1) == truth) for model in (informed, ignorant)]
    assert right[0] > 0.85 > right[1] + 0.1
    assert informed.coverage[1:, 1] == pytest.approx(numpy.full(4, 0.6), abs=0.06)
    assert informed.coverage[1:, 0] == pytest.approx(numpy.full(4, 0.1), abs=0.05)


def test_an_audit_pins_its_items_and_turns_a_crowd_that_is_mostly_wrong():
    matrix, truth = binary_votes(3_000, [0.3, 0.35, 0.25, 0.8], seed=5)
    audited = numpy.where(numpy.arange(3_000) < 150, truth, -1)
    blind, told = dawid_skene(votes_from_matrix(matrix)), dawid_skene(votes_from_matrix(matrix), truth=audited)
    assert told.posterior[numpy.arange(150), truth[:150]].min() == 1.0
    assert numpy.mean(blind.posterior[150:].argmax(axis=1) == truth[150:]) < 0.4
    assert numpy.mean(told.posterior[150:].argmax(axis=1) == truth[150:]) > 0.8


def test_one_annotator_is_enough_only_with_an_audit():
    matrix, truth = binary_votes(2_000, [0.8], share_of_one=0.4)
    with pytest.raises(BadInputError, match="Only annotator 0"):
        dawid_skene(votes_from_matrix(matrix))
    model = dawid_skene(votes_from_matrix(matrix), truth=numpy.where(numpy.arange(2_000) < 500, truth, -1))
    assert model.confusion[0].diagonal() == pytest.approx([0.8, 0.8], abs=0.05)


def test_a_novice_stays_near_the_average_annotator():
    matrix, _ = binary_votes(1_000, [0.9, 0.9, 0.9, 0.9])
    matrix[2:, 3] = -1
    matrix[:2, :] = [[1, 1, 1, 0], [0, 0, 0, 1]]  # two votes, both against everybody
    strict = dawid_skene(votes_from_matrix(matrix), prior_votes=0.0)
    smooth = dawid_skene(votes_from_matrix(matrix), prior_votes=2.0)
    assert strict.confusion[3, 1, 1] < 0.01
    assert smooth.confusion[3, 1, 1] > 0.4


def test_thousands_of_annotators_with_a_few_votes_each_are_fitted_from_their_rows():
    generator = numpy.random.default_rng(6)
    truth = generator.integers(0, 4, 20_000)
    skill = generator.beta(6, 2, 4_000)
    item, annotator = numpy.repeat(numpy.arange(20_000), 5), generator.integers(0, 4_000, 100_000)
    right = generator.random(100_000) < skill[annotator]
    votes = votes_from_columns(item, annotator, numpy.where(right, truth[item], generator.integers(0, 4, 100_000)))
    model = dawid_skene(votes)  # as items by annotators by classes this would be 2.6 GB
    assert numpy.mean(model.posterior.argmax(axis=1) == truth) > 0.965
    expert = numpy.bincount(annotator, minlength=4_000) > 25
    believed = numpy.einsum("jkk->j", model.confusion)[expert] / 4
    assert numpy.corrcoef(believed, skill[expert])[0, 1] > 0.8


@pytest.mark.slow
def test_a_million_items_of_ten_functions_are_fitted():
    matrix, truth = binary_votes(1_000_000, numpy.linspace(0.55, 0.9, 10), share_of_one=0.2, abstain=0.2)
    model = dawid_skene(votes_from_matrix(matrix.astype(numpy.int8)))
    assert model.converged
    assert model.prevalence[1] == pytest.approx(truth.mean(), abs=0.002)
    assert numpy.diagonal(model.confusion, axis1=1, axis2=2).mean(axis=1) == pytest.approx(
        numpy.linspace(0.55, 0.9, 10), abs=0.004
    )


def test_a_model_that_is_known_gives_bayes_rule():
    votes = votes_from_matrix([[1, 1], [1, -1]])
    confusion = [[[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.4, 0.6]]]
    posterior = posterior_of(votes, [0.75, 0.25], confusion)
    assert posterior[0, 1] == pytest.approx(0.25 * 0.8 * 0.6 / (0.25 * 0.8 * 0.6 + 0.75 * 0.1 * 0.3))
    assert posterior[1, 1] == pytest.approx(0.25 * 0.8 / (0.25 * 0.8 + 0.75 * 0.1))
    with pytest.raises(BadInputError, match="shapes"):
        posterior_of(votes, [1.0], confusion)


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"prior_votes": -1.0}, "-1.0"), ({"most_iterations": 0}, "most_iterations 0"), ({"abstentions": "maybe"}, "'maybe'")],
)
def test_settings_that_make_no_sense_are_refused(setting, said):
    with pytest.raises(BadInputError, match=said):
        dawid_skene(anaesthetists(), **setting)


def test_informative_abstentions_allow_one_answer_to_an_item():
    with pytest.raises(BadInputError, match="3 times"):
        dawid_skene(anaesthetists(), abstentions="informative")


def test_what_is_believed_at_first_may_be_given():
    matrix, truth = binary_votes(3_000, [0.3, 0.35, 0.25, 0.8], seed=5)
    believed = numpy.where(matrix[:, [3]] == 1, [[0.2, 0.8]], [[0.8, 0.2]])
    # items with the same votes have to believe the same, which the last annotator's vote alone does
    told = dawid_skene(votes_from_matrix(matrix), initial=believed)
    assert numpy.mean(told.posterior.argmax(axis=1) == truth) > 0.8
    with pytest.raises(BadInputError, match="believed at first"):
        dawid_skene(votes_from_matrix(matrix), initial=believed[:5])
