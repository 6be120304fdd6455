import tomllib
from pathlib import Path

from penstock.commands.configuration_page import settings_markdown
from penstock.config import LISTED_TABLES, NAMED_TABLES, list_settings, load_settings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_what_the_settings_say() -> None:
    made = settings_markdown()
    assert PAGE.read_text(encoding="utf-8") == made, (
        "docs/configuration.md is out of date; write it anew: python -c "
        "'from penstock.commands.configuration_page import settings_markdown as m; print(m(), end=\"\")' > docs/configuration.md"
    )


def test_every_setting_stands_on_the_page_with_its_variable_and_default() -> None:
    rows = {line.split("`")[1]: line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")}
    for setting in list_settings():
        assert f"`{setting.environment}`" in rows[setting.path]
        assert setting.help in rows[setting.path].replace("\\|", "|")
    assert set(rows) == {
        setting.path
        for struct in (None, *NAMED_TABLES.values(), *LISTED_TABLES.values())
        for setting in (list_settings(struct) if struct else list_settings())
    }


def test_no_heading_comes_twice() -> None:
    headings = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert sorted(headings) == sorted(set(headings))


def test_defaults_are_written_as_a_file_would_have_them(tmp_path: Path) -> None:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `") and "PENSTOCK_" in line:
            path, _variable, default = line.split("`")[1::2][:3]
            tomllib.loads(f"{path} = {default}")


def test_the_example_file_on_the_page_can_be_loaded(tmp_path: Path) -> None:
    example = PAGE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    file = tmp_path / "penstock.toml"
    file.write_text(example)
    assert "big" in load_settings(environment={}, file=file).settings.gateway.upstreams
