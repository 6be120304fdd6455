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
    if not (DATA / name.partition(":")[0]).exists():
        pytest.skip("the shared data sets are not on this machine")
    assert text_of(name, SETS[name](DATA)) in PAGE


def test_what_people_wrote_around_the_figures_stays() -> None:
    assert with_measured(f"above\n{BEGIN}\nold\n{END}\nbelow\n", {}) == f"above\n{BEGIN}\n\n{END}\nbelow\n"


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="it needs it once"):
        with_measured("above", {})
