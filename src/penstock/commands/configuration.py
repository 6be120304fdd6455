"""`penstock config`: what holds, and where it came from."""

import typer

from penstock.commands import options
from penstock.commands.printing import print_rows
from penstock.config import LoadedSettings, Setting, list_settings


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `config`."""
    cli.command(name, help=summary)(show)


def show(home: options.Home = None, override: options.Override = None, json: options.Json = False) -> None:
    """Print every setting, its value and its origin."""
    loaded = options.load(home, override)
    rows = [
        {"setting": setting.path, "value": _value(loaded, setting), "origin": loaded.origins[setting.path], "help": setting.help}
        for setting in list_settings()
    ]
    print_rows(rows if json else [{**row, "value": str(row["value"])} for row in rows], as_json=json)


def _value(loaded: LoadedSettings, setting: Setting) -> object:
    value: object = loaded.settings
    for part in setting.path.split("."):
        value = getattr(value, part)
    return value
