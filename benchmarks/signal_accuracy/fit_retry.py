"""Fits the coefficients that stand in src/penstock/signals/retry.py, on the parts of the data sets that tuning may see.

    python -m benchmarks.signal_accuracy.fit_retry --data ../shared/data

Every set counts the same, and within it retries as much as others: how often people retry at all differs by product, and .5 is
then the value from which a retry is likelier than not where both are as frequent. Pairs that are exact, or plainly other requests
before the model is asked, are left out. Prints the model and its figures on ten folds of conversations and people.
"""

import argparse
from hashlib import sha256
from pathlib import Path

import numpy
import pyarrow as pa
from benchmarks.signal_accuracy import cast19, realhumaneval_pairs, sts2016
from benchmarks.signal_accuracy.pairs import LIKELY, SURE, Floats, Pair, area, f1, marked_pairs
from numpy.typing import NDArray
from scipy.optimize import minimize

from penstock.signals.request_pair import FEATURES, Model, read_pairs

RIDGE = 1.0  # a normal prior of variance 1 on the coefficient of a standardised feature
SET_WEIGHT = 150.0  # pairs that every set counts for
FOLDS = 10


def tuning_sets(data: Path) -> dict[str, list[Pair]]:
    """The pairs that tuning may see."""
    found = {
        "cast19": cast19.tuning_pairs(data),
        "sts2016": sts2016.questions(data),
        "realhumaneval": realhumaneval_pairs.tuning_pairs(data),
    }
    return {name: [pair for pair in pairs if not pair.is_test] for name, pairs in found.items()}


def read(pairs: list[Pair]):
    """Their features."""
    texts = [pa.array([getattr(pair, name) for pair in pairs]) for name in ("first", "second")]
    return read_pairs(*texts, [pair.apart_s for pair in pairs])


def balanced(pairs: list[Pair]) -> Floats:
    """Weights that add up to SET_WEIGHT, half of it of positives; within each, every pair counts for as many as it stands for."""
    same, weight = numpy.array([pair.is_same for pair in pairs]), numpy.array([pair.weight for pair in pairs])
    return SET_WEIGHT / 2 * weight / numpy.where(same, weight[same].sum(), weight[~same].sum())


def fit(features: Floats, same: NDArray[numpy.bool_], weight: Floats) -> Model:
    """The likeliest model with the ridge."""
    centre = numpy.average(features, axis=0, weights=weight)
    scale = numpy.sqrt(numpy.average((features - centre) ** 2, axis=0, weights=weight))
    scale[scale == 0] = 1.0
    rows = (features - centre) / scale

    def loss(given: Floats) -> tuple[float, Floats]:
        linear = given[0] + rows @ given[1:]
        wrong = weight * (1 / (1 + numpy.exp(-linear)) - same)
        value = float((weight * (numpy.logaddexp(0, linear) - same * linear)).sum() + RIDGE / 2 * (given[1:] ** 2).sum())
        return value, numpy.concatenate(([wrong.sum()], wrong @ rows + RIDGE * given[1:]))

    best = minimize(loss, numpy.zeros(len(FEATURES) + 1), jac=True, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-9}).x
    slopes = best[1:] / scale
    return Model(
        intercept=round(float(best[0] - slopes @ centre), 2),
        coefficients={name: round(float(one), 2) for name, one in zip(FEATURES, slopes, strict=True)},
    )


def fitted(sets: dict[str, list[Pair]]) -> Model:
    """The model of all these pairs."""
    features, same, weight = [], [], []
    for pairs in sets.values():
        known = read(pairs)
        near = known.is_near
        features.append(known.features[near])
        same.append(numpy.array([pair.is_same for pair in pairs])[near])
        weight.append(balanced([pair for pair, is_near in zip(pairs, near, strict=True) if is_near]))
    return fit(numpy.concatenate(features), numpy.concatenate(same), numpy.concatenate(weight))


def cross_validated(sets: dict[str, list[Pair]]) -> dict[str, str]:
    """Figures of each set where no model has seen the conversation or the person it judges."""
    scores = {name: numpy.zeros(len(pairs)) for name, pairs in sets.items()}
    folds = {
        name: numpy.array([sha256(pair.group.encode()).digest()[0] % FOLDS for pair in pairs]) for name, pairs in sets.items()
    }
    for fold in range(FOLDS):
        kept = {name: [pair for pair, at in zip(pairs, folds[name], strict=True) if at != fold] for name, pairs in sets.items()}
        model = fitted(kept)
        for name, pairs in sets.items():
            known = read(pairs)
            score = numpy.where(known.is_exact, 0.95, model.probability(known))
            scores[name] = numpy.where(folds[name] == fold, score, scores[name])
    return {name: _figures(pairs, scores[name]) for name, pairs in sets.items()}


def _figures(pairs: list[Pair], score: Floats) -> str:
    truth = marked_pairs(pairs)
    at = []
    for threshold in (LIKELY, SURE):
        right = float(truth.weight[truth.positive & (score >= threshold)].sum())
        precision, recall = right / truth.weight[score >= threshold].sum(), right / truth.weight[truth.positive].sum()
        at.append(
            f"from {threshold} precision {precision:.3f}, recall {recall:.3f}, "
            f"F1 {f1(truth.positive, score >= threshold, truth.weight):.3f}"
        )
    return f"{len(pairs)} judgements, AUC {area(truth.positive, score, truth.weight):.3f}; {'; '.join(at)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    sets = tuning_sets(parser.parse_args().data)
    model = fitted(sets)
    print(f"intercept={model.intercept}, coefficients={model.coefficients}")
    for name, figures in cross_validated(sets).items():
        print(f"{name}, ten folds: {figures}")


if __name__ == "__main__":
    main()
