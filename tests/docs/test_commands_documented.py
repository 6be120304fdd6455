import importlib.util
from pathlib import Path
from typing import Any

import pytest
import typer

from penstock.cli import COMMANDS, build_cli
from penstock.commands.command_page import commands_markdown

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def test_every_command_stands_on_the_page_with_its_help() -> None:
    text = PAGE.read_text(encoding="utf-8")
    written = {name: summary for name, (module, summary) in COMMANDS.items() if importlib.util.find_spec(module)}
    assert [name for name in written if f"`penstock {name}" not in text] == []


def test_the_page_is_what_the_command_tree_says() -> None:
    missing = [module for module, _ in COMMANDS.values() if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"not written yet: {', '.join(missing)}")
    root: Any = typer.main.get_command(build_cli())
    assert PAGE.read_text(encoding="utf-8") == commands_markdown(root), (
        "docs/commands.md is out of date; write it anew: python -c 'import typer; from penstock.cli import build_cli; "
        "from penstock.commands.command_page import commands_markdown as m; "
        'print(m(typer.main.get_command(build_cli())), end="")\' > docs/commands.md'
    )


def test_options_arguments_and_groups_are_described() -> None:
    cli = typer.Typer()
    group = typer.Typer(help="About things.")

    def show(thing: str, loud: bool = typer.Option(False, "--loud", help="Shout | whisper.")) -> None:
        """Print a thing."""

    group.command("show")(show)
    cli.add_typer(group, name="thing")
    cli.command("other")(lambda: None)
    page = commands_markdown(typer.main.get_command(cli))
    assert "## `penstock thing`\n\nAbout things.\n" in page
    assert "### `penstock thing show THING`\n\nPrint a thing.\n" in page
    assert "| `THING` |" in page
    assert "Shout \\| whisper." in page
