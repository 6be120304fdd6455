from pathlib import Path
from typing import Any

import msgspec
import numpy
import pytest

from penstock.errors import BadInputError
from penstock.statistics.boosted_trees import (
    BoostedTrees,
    Tree,
    load_model,
    log_odds,
    probabilities,
    read_model,
    to_matrix,
    write_model,
)

STUMP = Tree(
    feature=[1, -1, -1],
    threshold=[2.0, 0.0, 0.0],
    missing_left=[False, False, False],
    left=[1, 0, 0],
    right=[2, 0, 0],
    value=[0.0, -1.0, 3.0],
)
MODEL = BoostedTrees(features=["age", "amount"], baseline=0.5, trees=[STUMP, STUMP])


def test_a_row_goes_left_up_to_the_threshold_and_where_it_is_missing_as_the_split_says() -> None:
    rows = [{"amount": 2.0}, {"amount": 2.1}, {"age": 1.0}, {"amount": None}, {"amount": True, "unknown": 9.0}]
    assert log_odds(MODEL, to_matrix(MODEL.features, rows)).tolist() == [-1.5, 6.5, 6.5, 6.5, -1.5]


def test_probabilities_are_those_of_the_log_odds() -> None:
    assert probabilities(MODEL, [{"amount": 0.0}]).tolist() == pytest.approx([1 / (1 + numpy.exp(1.5))])


def test_no_rows_and_no_trees_are_no_trouble() -> None:
    assert probabilities(MODEL, []).tolist() == []
    assert log_odds(msgspec.structs.replace(MODEL, trees=[]), numpy.zeros((2, 2))).tolist() == [0.5, 0.5]


def test_a_model_survives_being_written(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes(write_model(MODEL))
    assert load_model(tmp_path) == MODEL


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"left": [0, 0, 0]}, "node 0 leads to 0"),
        ({"right": [3, 0, 0]}, "leads to 1 and 3 of 3"),
        ({"feature": [2, -1, -1]}, "feature 2 of 2"),
        ({"feature": [-2, -1, -1]}, "feature -2 of 2"),
        ({"value": [0.0]}, "different lengths"),
    ],
)
def test_a_model_that_would_walk_in_circles_or_out_of_its_arrays_is_refused(wrong: dict[str, Any], message: str) -> None:
    broken = msgspec.structs.replace(MODEL, trees=[STUMP, msgspec.structs.replace(STUMP, **wrong)])
    with pytest.raises(BadInputError, match=f"Tree 1 .*{message}"):
        read_model(write_model(broken))


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no classifier"):
        read_model(b'{"features": 3}')
    with pytest.raises(BadInputError, match="cannot be read"):
        load_model(tmp_path)
    with pytest.raises(BadInputError, match="knows 2 features"):
        log_odds(MODEL, numpy.zeros((1, 3)))
