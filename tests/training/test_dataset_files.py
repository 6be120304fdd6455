from pathlib import Path

import pytest

from penstock.errors import BadInputError, EmptySelectionError
from penstock.training.dataset_files import EventRow, KtoRow, SftRow, read_rows
from tests.training.conftest import chat, write_dataset

ROW = {"row_hash": "b2:0", "prompt": chat("tab: abc"), "completion": "abc", "interaction_id": "i_1", "user": "u_1"}


def test_columns_that_a_recipe_has_no_use_for_are_ignored(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "data", [{**ROW, "label": True}])
    assert read_rows(folder, SftRow) == [SftRow(prompt=chat("tab: abc"), completion="abc")]
    assert read_rows(folder, KtoRow)[0].label


def test_an_event_may_lack_its_logprob(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "data", [{**ROW, "reward": 0.75, "behaviour_logprob": None}])
    assert read_rows(folder, EventRow)[0].behaviour_logprob is None


def test_a_bad_row_is_named_by_its_line(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "data", [{**ROW, "reward": 1}, ROW])
    with pytest.raises(BadInputError, match="line 2"):
        read_rows(folder, EventRow)


def test_a_dataset_without_rows_or_without_its_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EmptySelectionError, match="no rows"):
        read_rows(write_dataset(tmp_path / "data", []), SftRow)
    with pytest.raises(BadInputError, match="nowhere"):
        read_rows(tmp_path / "nowhere", SftRow)
