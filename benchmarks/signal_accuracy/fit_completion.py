"""Fits the coefficients of predicted_completion, to be written into its source.

python -m benchmarks.signal_accuracy.fit_completion --data ../shared/data
"""

import argparse
from pathlib import Path

import numpy
from benchmarks.signal_accuracy.dialogues import predict_completion, read_dialogues
from benchmarks.signal_accuracy.taubench import FITTED_ON, fit

from penstock.signals.predicted_completion import measures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signal_accuracy.fit_completion", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="The folder that has a folder for every data set.")
    dialogues = read_dialogues(parser.parse_args().data / "taubench" / f"{FITTED_ON}.json.xz")
    measured = measures(predict_completion(dialogues).counts)
    coefficients, intercept = fit(measured, numpy.array([one.is_rewarded for one in dialogues]))
    print({name: round(value, 2) for name, value in coefficients.items()}, round(intercept, 2))
    for name, column in measured.items():
        print(name, "seen from 1 % to 99 %:", numpy.quantile(column, (0.01, 0.99)).round(2))


if __name__ == "__main__":
    main()
