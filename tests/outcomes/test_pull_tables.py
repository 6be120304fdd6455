"""Where a pull reads from: passwords stay out of the file, and what is missing is told."""

import pytest

from penstock.errors import BadInputError, ConfigurationError
from penstock.outcomes.pull_tables import open_table, require_sound_source
from tests.outcomes.tickets import desk_settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parquet": "x"}, "either `url` with `query`, or `parquet`"),
        ({"url": "", "query": ""}, "either `url` with `query`, or `parquet`"),
        ({"query": ""}, "belong together"),
        ({"url": "no url"}, "is no SQLAlchemy URL"),
        ({"url": "postgresql://u:pw@h/d"}, "holds a password"),
        ({"url": "", "query": "", "parquet": "x", "password_env": "P"}, "belongs to a `url`"),
    ],
)
def test_a_source_that_cannot_be_is_refused_without_its_password(change, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        require_sound_source("desk", desk_settings(**{"url": "sqlite://", **change}))
    assert "pw" not in str(caught.value).replace("password", "")


def test_the_password_comes_from_the_environment_and_is_never_shown():
    settings = desk_settings("postgresql+psycopg://reader@host/desk", password_env="DESK_PASSWORD")
    table = open_table("desk", settings, {"DESK_PASSWORD": "hush"})
    assert "hush" not in table.name + table.identity
    with pytest.raises(ConfigurationError, match="DESK_PASSWORD, which is not set"):
        open_table("desk", settings, {})


def test_a_driver_that_is_not_installed_is_named():
    with pytest.raises(ConfigurationError, match=r"pulls\.desk\.url"):
        open_table("desk", desk_settings("mysql+mysqldb://host/desk"), {})


def test_a_folder_without_parquet_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    for place in (tmp_path, tmp_path / "a.csv" / "b", tmp_path / "missing.parquet"):
        with pytest.raises(BadInputError, match="no Parquet file"):
            open_table("desk", desk_settings("", query="", parquet=str(place)), {})
