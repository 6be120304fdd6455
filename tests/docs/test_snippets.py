"""What the documentation shows is read, run or looked up, so that it cannot go out of date unnoticed."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from penstock.cli import COMMANDS, build_cli
from penstock.config import load_settings
from penstock.errors import ConfigurationError
from penstock.lake.lake import Lake
from penstock.registry.export import as_arrow_tables
from penstock.registry.registry import Registry
from penstock.replay.mapping import parse_mapping

REPOSITORY = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])


def snippets(language: str) -> list[Any]:
    return list(_find_snippets(language))


def _find_snippets(language: str) -> Iterator[Any]:
    for page in PAGES:
        for number, (found, text) in enumerate(FENCE.findall(page.read_text(encoding="utf-8")), start=1):
            if found == language:
                yield pytest.param(text, id=f"{page.relative_to(REPOSITORY)}-{number}")


def command_lines() -> Iterator[Any]:
    for snippet in (*snippets("sh"), *snippets("console")):
        for number, line in enumerate(snippet.values[0].splitlines(), start=1):
            typed = line.removeprefix("$ ")
            if typed.startswith("penstock "):
                yield pytest.param(typed, id=f"{snippet.id}-{number}")


@pytest.mark.parametrize("text", snippets("toml"))
def test_toml_is_a_configuration_or_a_mapping(text: str, tmp_path: Path) -> None:
    (tmp_path / "penstock.toml").write_text(text)
    try:
        load_settings(environment={}, file=tmp_path / "penstock.toml")
    except ConfigurationError:
        parse_mapping(text, "the mapping")


@pytest.mark.parametrize("line", list(command_lines()))
def test_a_command_exists_with_the_options_it_is_given(line: str) -> None:
    _, name, *rest = shlex.split(line, comments=True)
    assert name in COMMANDS, f"`penstock {name}` is no command"
    module, _ = COMMANDS[name]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not written yet")
    command: Any = typer.main.get_command(build_cli(name)).commands[name]  # type: ignore[attr-defined]  # the root is a group
    if hasattr(command, "commands"):
        assert rest, f"`penstock {name}` needs a sub-command"
        assert rest[0] in command.commands, f"`penstock {name} {rest[0]}` is no command"
        command = command.commands[rest[0]]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    given = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert given <= known, f"{given - known} are no options of `{command.name}`"


@pytest.fixture
def empty_database(home: Path, registry: Registry) -> Any:
    lake = Lake(home / "lake", load_settings(environment={}).settings.lake)
    lake.create()
    return lake.sql_connection(as_arrow_tables(registry))


def test_every_query_runs_on_an_empty_lake(empty_database: Any) -> None:
    quoted = [line.values[0].split('"')[1] for line in command_lines() if line.values[0].startswith("penstock sql")]
    for query in [*(snippet.values[0] for snippet in snippets("sql")), *quoted]:
        empty_database.sql(query).to_arrow_table()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{target} does not exist"
