"""Votes whose truth and whose errors are known, because they were drawn."""

import numpy


def binary_votes(items, right, *, right_on_zero=None, share_of_one=0.5, abstain=0.0, copies=(), seed=0):
    """A matrix of votes on yes-or-no items and their truth.

    `right` is how often each annotator is right (on class 1, where `right_on_zero` differs); each of `copies` is (original,
    copy, how probably the copy is one on an item).
    """
    generator = numpy.random.default_rng(seed)
    truth = (generator.random(items) < share_of_one).astype(int)
    on_one = numpy.asarray(right, dtype=float)
    on_zero = on_one if right_on_zero is None else numpy.asarray(right_on_zero, dtype=float)
    correct = generator.random((items, len(on_one))) < numpy.where(truth[:, None] == 1, on_one, on_zero)
    matrix = numpy.where(correct, truth[:, None], 1 - truth[:, None])
    for original, copy, probability in copies:
        same = generator.random(items) < probability
        matrix[same, copy] = matrix[same, original]
    return numpy.where(generator.random(matrix.shape) < abstain, -1, matrix), truth


def confused_votes(items, confusion, prevalence, seed=0):
    """A matrix of votes of annotators with these confusion matrices (annotators by classes by answers), and the truth."""
    generator = numpy.random.default_rng(seed)
    truth = generator.choice(len(prevalence), items, p=prevalence)
    limits = numpy.cumsum(numpy.asarray(confusion), axis=2)[:, truth]  # annotators by items by answers
    drawn = generator.random((len(confusion), items, 1))
    return (drawn > limits).sum(axis=2).clip(max=len(prevalence) - 1).T, truth
