"""A boosted-tree classifier as plain arrays in JSON: what a checkpoint of a classifier holds, and how it scores.

Nothing is unpickled and no code comes with a model, so one from anywhere can be read; what its arrays say is checked first.
A row is a mapping of feature names to numbers. What is missing is NaN, and each split says where that goes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy
from msgspec import Struct
from numpy.typing import NDArray

from penstock.errors import BadInputError

MODEL_FILE = "model.json"
_LEAF = -1
_ROWS_TOGETHER = 4_096

Floats = NDArray[numpy.float64]
Row = Mapping[str, float | bool | None]


class Tree(Struct, frozen=True, kw_only=True):
    """One tree, a list entry per node, the root first; children come after their parent."""

    feature: list[int]  # -1 at a leaf
    threshold: list[float]  # a row goes left where its feature is at most this
    missing_left: list[bool]
    left: list[int]
    right: list[int]
    value: list[float]  # what a leaf adds to the log odds


class BoostedTrees(Struct, frozen=True, kw_only=True):
    """The sum of its trees is the log odds of the positive class."""

    features: list[str]
    baseline: float
    trees: list[Tree]
    threshold: float = 0.5  # the probability from which on it says positive
    false_positive_rate: float | None = None  # for which the threshold was chosen
    format: int = 1


def load_model(folder: Path) -> BoostedTrees:
    """The model of a checkpoint folder. Raises BadInputError."""
    path = folder / MODEL_FILE
    try:
        return read_model(path.read_bytes())
    except OSError as error:
        raise BadInputError(f"The classifier {path} cannot be read: {error.strerror}.") from error
    except BadInputError as error:
        raise BadInputError(f"{path}: {error}") from error


def read_model(data: bytes) -> BoostedTrees:
    """A model out of its JSON. Raises BadInputError for one whose arrays do not fit together."""
    try:
        model = msgspec.json.decode(data, type=BoostedTrees)
    except msgspec.DecodeError as error:
        raise BadInputError(f"This is no classifier: {error}. Train it again.") from error
    for number, tree in enumerate(model.trees):
        if (fault := _fault(tree, len(model.features))) is not None:
            raise BadInputError(f"Tree {number} of the classifier is broken: {fault}. Train it again.")
    return model


def write_model(model: BoostedTrees) -> bytes:
    """The same model gives the same bytes."""
    return msgspec.json.encode(model, order="deterministic") + b"\n"


def to_matrix(model_features: Sequence[str], rows: Sequence[Row]) -> Floats:
    """Rows by features; what a row does not say is NaN, and what the model does not know is left out."""
    matrix = numpy.full((len(rows), len(model_features)), numpy.nan)
    for place, row in enumerate(rows):
        matrix[place] = [numpy.nan if (value := row.get(name)) is None else value for name in model_features]
    return matrix


def log_odds(model: BoostedTrees, matrix: Floats) -> Floats:
    """The log odds of the positive class, per row of a matrix of the model's features."""
    if matrix.ndim != 2 or matrix.shape[1] != len(model.features):
        raise BadInputError(f"The rows have shape {matrix.shape}, but the classifier knows {len(model.features)} features.")
    if not model.trees:
        return numpy.full(len(matrix), model.baseline)
    packed = _Packed(model.trees)
    parts = [packed.sums(matrix[at : at + _ROWS_TOGETHER]) for at in range(0, len(matrix), _ROWS_TOGETHER)]
    return model.baseline + (numpy.concatenate(parts) if parts else numpy.zeros(0))


def probabilities(model: BoostedTrees, rows: Sequence[Row]) -> Floats:
    """The probability of the positive class, per row."""
    odds = log_odds(model, to_matrix(model.features, rows))
    return numpy.asarray(1.0 / (1.0 + numpy.exp(-numpy.clip(odds, -500.0, 500.0))))


class _Packed:
    """All trees in one set of arrays, so that every row walks down every tree at once."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        self._roots = numpy.cumsum([0, *(len(tree.feature) for tree in trees)])[:-1]
        self._feature = numpy.concatenate([numpy.asarray(tree.feature) for tree in trees])
        self._threshold = numpy.concatenate([numpy.asarray(tree.threshold, dtype=float) for tree in trees])
        self._missing_left = numpy.concatenate([numpy.asarray(tree.missing_left, dtype=bool) for tree in trees])
        self._value = numpy.concatenate([numpy.asarray(tree.value, dtype=float) for tree in trees])
        moved = list(zip(trees, self._roots, strict=True))
        self._left = numpy.concatenate([numpy.asarray(tree.left) + root for tree, root in moved])
        self._right = numpy.concatenate([numpy.asarray(tree.right) + root for tree, root in moved])
        self._is_leaf = self._feature == _LEAF

    def sums(self, matrix: Floats) -> Floats:
        node = numpy.broadcast_to(self._roots, (len(matrix), len(self._roots))).copy()
        rows = numpy.arange(len(matrix))[:, None]
        while not bool((done := self._is_leaf[node]).all()):
            value = matrix[rows, numpy.maximum(self._feature[node], 0)]
            goes_left = numpy.where(numpy.isnan(value), self._missing_left[node], value <= self._threshold[node])
            node = numpy.where(done, node, numpy.where(goes_left, self._left[node], self._right[node]))
        return numpy.asarray(self._value[node].sum(axis=1))


def _fault(tree: Tree, features: int) -> str | None:
    """What is wrong with a tree; children behind their parents make sure that every walk ends."""
    number = len(tree.feature)
    columns = (tree.threshold, tree.missing_left, tree.left, tree.right, tree.value)
    if number == 0 or any(len(column) != number for column in columns):
        return "its columns have different lengths or no node"
    for node, (feature, left, right) in enumerate(zip(tree.feature, tree.left, tree.right, strict=True)):
        if feature == _LEAF:
            continue
        if not 0 <= feature < features:
            return f"node {node} splits by feature {feature} of {features}"
        if not (node < left < number and node < right < number):
            return f"node {node} leads to {left} and {right} of {number} nodes"
    return None
