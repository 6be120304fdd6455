"""Votes of real crowds with the truth, where the shared data sets are on the machine."""

from pathlib import Path

import numpy
import pytest

from penstock.statistics.votes import votes_from_columns

CROWD = Path(__file__).resolve().parents[3] / "shared" / "data" / "crowd"
needs_crowds = pytest.mark.skipif(not CROWD.exists(), reason="the shared data sets are not on this machine")

# Dawid and Skene 1979, table 1: 45 patients, the grades of the first anaesthetist (three times) and of four others
ANAESTHETISTS = """
    1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 2223343 1111111 2223212 1211111
    1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222 1111111 1111111 2322222 1111111 1111111 1121121
    1111111 3333233 1111111 2222222 2223232 4334343 2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111 2222222
"""
OBSERVER = (0, 0, 0, 1, 2, 3, 4)


def crowd(name):
    """The votes of a set, and the class of each item."""
    votes = numpy.loadtxt(CROWD / name / "label.csv", delimiter=",", skiprows=1, dtype=int)
    truth = numpy.loadtxt(CROWD / name / "truth.csv", delimiter=",", skiprows=1, dtype=int)
    return votes_from_columns(*votes.T, items=len(truth)), truth[numpy.argsort(truth[:, 0]), 1]


def anaesthetists():
    """The votes of Dawid and Skene's five anaesthetists."""
    rows = [
        (patient, observer, int(grade) - 1)
        for patient, grades in enumerate(ANAESTHETISTS.split())
        for observer, grade in zip(OBSERVER, grades, strict=True)
    ]
    return votes_from_columns(*numpy.array(rows).T)
