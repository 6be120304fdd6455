from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.errors import ConfigurationError
from penstock.replay.mapping import load_mapping, parse_mapping
from tests.replay.examples import MAPPING, small_mapping

EXAMPLE = Path(__file__).parents[2] / "examples" / "realhumaneval.toml"


def test_a_mapping_knows_every_column_that_it_reads() -> None:
    assert small_mapping().columns == {"at", "question", "answer", "who", "thumb"}


def test_the_example_loads_and_says_that_its_users_were_served() -> None:
    mapping = load_mapping(EXAMPLE)
    assert mapping.interaction["exposure"].value == "served"
    assert mapping.interaction["started_at"].base == datetime(2024, 1, 1, tzinfo=UTC)
    assert {"request", "programmer_id", "task_name"} < mapping.columns


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("output =", "outptu =", "Did you mean `output`"),
        ("[source]", "[sauce]", "Did you mean `source`"),
        ('column = "who"', 'colum = "who"', "Did you mean `column`"),
        ("value = {", "valeu = {", "Did you mean `value`"),
        ('name = "help-desk"', "", "has no `name`"),
        ('name = "help-desk"', 'name = "x"\nformat = "xlsx"', "none of csv, jsonl, json, parquet"),
        ('name = "help-desk"', 'name = "x"\nencoding = "klingon"', "encoding = 'klingon' is unknown"),
        ('name = "help-desk"', 'name = "x"\ndelimiter = "::"', "must be one character"),
        ('name = "help-desk"', "name = 3", "must be text"),
        ('{ column = "who" }', '{ column = "who", value = 1 }', "has column and value"),
        ('{ column = "who" }', "{ parse = 'number' }", "has none"),
        ('{ column = "who" }', "{ row_number = false }", "must be true"),
        ('{ column = "who" }', "{ item = true }", "only a \\[\\[feedback\\]\\] with for_each"),
        ('parse = "iso"', 'parse = "guess"', "parse = 'guess' is none of"),
        ('parse = "iso"', 'base = "soon"', "base = 'soon' is no time"),
        ('started_at = { column = "at", parse = "iso" }', "", "does not say what `started_at` is"),
        ('model = "gpt-4o"', 'exposure = "users"', "exposure = 'users' is none of"),
        ("[[feedback]]", "[feedback]", "two brackets"),
        ('name = "rating"', "", 'such as "rating"'),
        ("[source]", "[source", "not valid TOML"),
    ],
)
def test_a_wrong_mapping_is_refused_with_a_hint(before: str, after: str, message: str) -> None:
    assert before in MAPPING
    with pytest.raises(ConfigurationError, match=message):
        parse_mapping(MAPPING.replace(before, after), "mapping.toml")


def test_a_missing_mapping_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml cannot be read"):
        load_mapping(tmp_path / "none.toml")
