"""What stands in the source about retries is what the data sets gave."""

import csv
from pathlib import Path

import pytest
from benchmarks.signal_accuracy import realhumaneval_pairs
from benchmarks.signal_accuracy.fit_retry import fitted, tuning_sets

from penstock.signals.retry import MODEL

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_sets = pytest.mark.skipif(not (DATA / "realhumaneval").exists(), reason="the shared data sets are not on this machine")


@needs_sets
def test_fitting_again_gives_the_coefficients_in_the_source() -> None:
    model = fitted(tuning_sets(DATA))
    assert model.intercept == pytest.approx(MODEL.intercept, abs=0.02)
    assert model.coefficients == pytest.approx(MODEL.coefficients, abs=0.02)


@needs_sets
def test_the_judged_pairs_are_those_that_the_seed_draws() -> None:
    assert _drawn(realhumaneval_pairs.LABELS) == realhumaneval_pairs.draw(DATA)


@needs_sets
def test_the_sealed_pairs_are_those_that_their_seed_draws_of_the_rest() -> None:
    sealed = realhumaneval_pairs.draw_sealed(DATA)
    assert _drawn(realhumaneval_pairs.SEALED) == sealed
    assert len(sealed) == 100
    assert {pair[:2] for pair in sealed}.isdisjoint(pair[:2] for pair in realhumaneval_pairs.draw(DATA))


@needs_sets
def test_nothing_is_tuned_on_that_shows_a_sealed_pair_or_is_of_a_programmer_for_the_test() -> None:
    tuning = realhumaneval_pairs.draw_tuning(DATA)
    assert _drawn(realhumaneval_pairs.TUNING) == tuning
    hidden = {pair[1] for pair in realhumaneval_pairs.draw_sealed(DATA)}
    assert hidden.isdisjoint(row for pair in tuning for row in pair[:2])
    assert [pair for pair in realhumaneval_pairs.tuning_pairs(DATA) if pair.is_test] == []


@needs_sets
def test_a_pair_that_two_readers_judged_counts_once() -> None:
    once = sum(1.0 / pair[3] for pair in realhumaneval_pairs.draw_tuning(DATA))
    assert sum(pair.weight for pair in realhumaneval_pairs.tuning_pairs(DATA)) == pytest.approx(once)


def _drawn(labels: Path) -> list[tuple[int, int, str, float]]:
    rows = csv.DictReader(labels.read_text(encoding="utf-8").splitlines())
    return sorted((int(row["first"]), int(row["second"]), row["stratum"], float(row["probability"])) for row in rows)
