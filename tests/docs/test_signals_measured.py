"""The page on signals names every definition and every data set, with figures that come out the same again."""

from pathlib import Path

import pytest
from benchmarks.signal_accuracy.page import BEGIN, END, text_of, with_measured
from benchmarks.signal_accuracy.sets import SETS

from penstock.signals.definitions import DEFINITIONS

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
PAGE = (ROOT / "docs" / "signals.md").read_text(encoding="utf-8")
_ANY_NAME = {  # whose signals have names of their own
    "outcome": "outcome.<name>",
    "other_feedback": "feedback.<name>",
    "retention": "retention.<delay>",
    "regenerate_report": "regenerate",
}


def test_every_definition_has_its_line() -> None:
    assert [name for name in DEFINITIONS if f"| `{_ANY_NAME.get(name, name)}` |" not in PAGE] == []


def test_every_data_set_has_its_figures() -> None:
    assert [name for name in SETS if f" (`{name}`)\n" not in PAGE] == []


@pytest.mark.parametrize("name", sorted(SETS))
def test_measuring_again_gives_what_the_page_says(name: str) -> None:
    section = SETS[name](DATA)
    if section.missing:
        pytest.skip(f"not on this machine: {', '.join(section.missing)}")
    measured = text_of(name, section).splitlines()
    stated = PAGE[PAGE.index(measured[0]) :].partition("\n### ")[0].partition(END)[0].splitlines()
    assert [line for line in stated if line and line not in measured] == []
    files = {_file(line) for line in stated}  # a part of the set that is new here is not on the page yet
    assert [line for line in measured if _file(line) in files and line not in stated] == []


def _file(line: str) -> str:
    return line.split(" | ")[0]


def test_what_people_wrote_around_the_figures_stays() -> None:
    assert with_measured(f"above\n{BEGIN}\nold\n{END}\nbelow\n", {}) == f"above\n{BEGIN}\n\n{END}\nbelow\n"


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="it needs it once"):
        with_measured("above", {})
