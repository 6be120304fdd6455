"""`penstock sql`: what is asked, and what is printed of it."""

import json

import pytest
from typer.testing import CliRunner

from penstock.cli import build_cli
from penstock.errors import BadInputError


def run(settings, *arguments, given=None):
    typed = ["sql", "--home", settings.home, *arguments]
    result = CliRunner().invoke(build_cli("sql"), typed, input=given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_columns_of_one_name_are_all_there(settings):
    query = "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a"
    assert json.loads(run(settings, "--json", query)) == [{"a": 1, "a_2": 2, "a_1": 3, "a_3": 4}]
    assert run(settings, "SELECT 1 AS a, 2 AS a").split("\n")[0].split() == ["a", "┃", "a_1"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("TIMESTAMP 'infinity'", "infinity"),
        ("TIMESTAMPTZ '-infinity'", "-infinity"),
        ("DATE '-4000-01-01'", "4001-01-01 (BC)"),
        ("[DATE 'infinity']", "[infinity]"),
        ("DATE '2026-03-01'", "2026-03-01"),
    ],
)
def test_times_that_python_does_not_know_are_printed_as_text(settings, value, told):
    assert json.loads(run(settings, "--json", f"SELECT {value} AS t, 1 AS n")) == [{"t": told, "n": 1}]
    assert told in run(settings, f"SELECT {value} AS t").replace('"', "")


def test_no_rows_and_standard_input(settings):
    assert "No rows." in run(settings, "SELECT 1 WHERE false")
    assert json.loads(run(settings, "--json", "-", given="SELECT 'ü' AS t")) == [{"t": "ü"}]


@pytest.mark.parametrize(("query", "given"), [("-", b"\xff\xfe"), ("SELECT '\udcff'", None)])
def test_what_is_no_text_is_refused(settings, query, given):
    with pytest.raises(BadInputError, match="not UTF-8 text"):
        run(settings, query, given=given)
