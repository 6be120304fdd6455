"""tau-bench: dialogues of an agent with tools and a user, each rewarded where the database ended up as it should have.

Completion is predicted with the reward hidden. On the file that the model was fitted on the model is fitted anew for every fold,
and no task is in both parts; every other file is read with the coefficients as they are in the source.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy
from benchmarks.signal_accuracy.dialogues import Dialogue, Predicted, predict_completion, read_dialogues
from benchmarks.signal_accuracy.figures import Section, Table
from benchmarks.signal_accuracy.files import files_of, missing, name_of
from benchmarks.signal_accuracy.pairs import COLUMNS, marked, row
from numpy.typing import NDArray
from scipy.optimize import brentq

from penstock.signals.predicted_completion import COEFFICIENTS, SEEN, measures, predict
from penstock.statistics.logistic_regression import fit_logistic

FITTED_ON = "gpt-4o-airline"
FITTED = ("length", "declined", "repeated")  # the others are set by hand
FOLDS = 10
RIDGE = 4.0
_SEED = 20_190
Floats = NDArray[numpy.float64]


def fit(measured: Mapping[str, Floats], rewarded: NDArray[numpy.bool_]) -> tuple[dict[str, float], float]:
    """Coefficients, and the intercept with which the mean of what is predicted is that of what was rewarded."""
    columns = numpy.column_stack([numpy.clip(measured[name], *SEEN[name]) for name in FITTED])
    model = fit_logistic(columns, rewarded.astype(float), ridge=RIDGE)
    slopes = model.coefficients / model.scale
    coefficients = {**COEFFICIENTS, **dict(zip(FITTED, map(float, slopes), strict=True))}
    share = float(rewarded.mean())
    return coefficients, float(brentq(lambda at: predict(measured, coefficients, at).mean() - share, -30.0, 30.0))


def cross_validated(dialogues: list[Dialogue], found: Predicted, omitted: tuple[str, ...] = ()) -> Floats:
    """For each dialogue what a model says that saw none of its task; without the measures omitted."""
    measured = measures(found.counts)
    for name in omitted:
        measured[name] = numpy.zeros(len(dialogues))
    rewarded, fold = _rewarded(dialogues), _folds(dialogues)
    value = numpy.empty(len(dialogues))
    for one in range(FOLDS):
        inside = fold == one
        coefficients, intercept = fit({name: column[~inside] for name, column in measured.items()}, rewarded[~inside])
        value[inside] = predict({name: column[inside] for name, column in measured.items()}, coefficients, intercept)
    return value


def measure(data: Path) -> Section:
    """Predicted completion on every file of the folder."""
    folder = data / "taubench"
    paths = files_of(folder, ".json")
    table = Table(
        title="Dialogues that were rewarded, by what is predicted",
        columns=("file", "method", "dialogues", "rewarded", *COLUMNS[3:], "mean predicted", "mean reward"),
        rows=tuple(line for path in paths for line in _measured(path)),
    )
    return Section(title="tau-bench", text=_TEXT, tables=(table,), missing=missing(folder, (FITTED_ON,), paths))


def _measured(path: Path) -> list[tuple[str, ...]]:
    dialogues = read_dialogues(path)
    found = predict_completion(dialogues)
    truth = marked((one.is_rewarded for one in dialogues), [one.task for one in dialogues])
    if name_of(path) == FITTED_ON:
        scored = {
            "predicted_completion, cross-validated": cross_validated(dialogues, found),
            "without `declined`, cross-validated": cross_validated(dialogues, found, ("declined",)),
        }
    else:
        scored = {"predicted_completion": found.value}
    return [
        (name_of(path), *row(name, truth, value), f"{value.mean():.3f}", f"{truth.positive.mean():.3f}")
        for name, value in scored.items()
    ]


_TEXT = """
Dialogues of an agent with tools, four for each task, rewarded (positive) where the database ended up as it should have. The
reward is hidden; the definition sees the agent's turns as a client would have sent them. `gpt-4o-airline` is measured by ten
folds, fitted anew for each, no task in two of them; any other file is measured whole, as the source has it. Intervals draw whole
tasks. Which measures there are was chosen on all tasks of that file, so its figures flatter a little. `declined` counts answers
that decline something: agents here were to refuse what the rules forbid.
"""


def _rewarded(dialogues: list[Dialogue]) -> NDArray[numpy.bool_]:
    return numpy.array([one.is_rewarded for one in dialogues])


def _folds(dialogues: list[Dialogue]) -> NDArray[numpy.int64]:
    """Each dialogue's fold; that of its task."""
    _, task = numpy.unique([one.task for one in dialogues], return_inverse=True)
    return numpy.random.default_rng(_SEED).permutation(int(task.max()) + 1)[task] % FOLDS
