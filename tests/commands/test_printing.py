"""Tables for people: readable at any width."""

import pytest

from penstock.commands.printing import print_rows

WIDE = [{f"a_long_name_{place}": place for place in range(12)}, {f"a_long_name_{place}": None for place in range(12)}]


def test_what_goes_into_a_pipe_is_cut_by_no_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    print_rows(WIDE, as_json=False)
    first, *_ = capsys.readouterr().out.splitlines()
    assert all(name in first for name in WIDE[0])


def test_on_a_narrow_terminal_a_wide_table_is_a_block_for_each_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_rows(WIDE, as_json=False)
    blocks = capsys.readouterr().out.strip().split("\n\n")
    assert [block.splitlines()[11].split() for block in blocks] == [["a_long_name_11", "11"], ["a_long_name_11", "–"]]


def test_a_table_that_fits_is_one(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_rows([{"name": "x" * 100, "times": 3}], as_json=False)
    told = capsys.readouterr().out
    assert "┃" in told
    assert "times" in told
