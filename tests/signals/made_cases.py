"""Cases made by hand, for what is worked out from them."""

import numpy

from penstock.signals.covariates import Cases


def make_cases(number, **columns):
    """So many interactions, each of its own user and session, with these columns instead."""
    given = {
        "user": numpy.arange(number), "session": numpy.arange(number), "session_hashes": numpy.arange(number, dtype=numpy.uint64),
        "segment": numpy.zeros(number, dtype=numpy.int64), "segments": ("all",),
        "application": numpy.zeros(number, dtype=numpy.int64), "weight": numpy.ones(number),
        "started_s": numpy.arange(number) * 10_000.0, "has_next": numpy.ones(number, dtype=bool),
        "has_words": numpy.ones(number, dtype=bool), "matrix": numpy.zeros((number, 0)), "origin": (),
    }  # fmt: skip
    return Cases(**{**given, **columns})
