"""The page of the documentation that lists every setting, made from the settings themselves."""

import json
from collections.abc import Iterable

from msgspec import NODEFAULT, Struct

from penstock.config import LISTED_TABLES, NAMED_TABLES, Setting, list_settings

_INTRODUCTION = """\
# Configuration

Penstock reads its settings in this order, each over the one before:

1. the defaults below;
2. a file: the one that `PENSTOCK_CONFIG` names, or `penstock.toml` in the home directory, or in the working directory;
3. `PENSTOCK_*` variables, written as TOML (`PENSTOCK_TRAFFIC_EXPOSURES='["served"]'`), text without quotes;
4. flags: `--home`, and `--set PATH=VALUE` for every setting.

A key that does not exist is an error, in any of them. `penstock config` prints every setting that holds and where it came from.

```toml
home = "/var/lib/penstock"

[edge]
port = 4318

[gateway.upstreams.big]
base_url = "https://models.example.com/v1"
api_key_env = "BIG_KEY"
```
"""
_TABLE_HEAD = "| setting | variable | type | default | what it does |\n|---|---|---|---|---|\n"
_NAMED_HEAD = "| key | type | default | what it does |\n|---|---|---|---|\n"


def settings_markdown() -> str:
    """The whole page."""
    sections: dict[str, list[Setting]] = {}
    for setting in list_settings():  # those at the top stand in several places
        sections.setdefault(setting.path.rpartition(".")[0], []).append(setting)
    return "\n".join([_INTRODUCTION, *(_section(name, settings) for name, settings in sections.items())])


def _section(name: str, settings: Iterable[Setting]) -> str:
    heading = f"## `[{name}]`" if name else "## Top level"
    page = f"{heading}\n\n{_TABLE_HEAD}{''.join(_row(setting) for setting in settings)}"
    named = [part for path in NAMED_TABLES if path.rpartition(".")[0] == name for part in _named_sections(path)]
    listed = [_named_section(f"[[{path}]]", LISTED_TABLES[path]) for path in LISTED_TABLES if path.startswith(name + ".")]
    return page + "".join([*named, *(listed if "." in name else ())])


def _named_sections(path: str) -> list[str]:
    """A table with free names, and the lists of rules within each of its entries."""
    inner = [listed for listed in LISTED_TABLES if listed.startswith(f"{path}.*.")]
    rules = [_named_section(f"[[{listed.replace('*', 'NAME')}]]", LISTED_TABLES[listed]) for listed in inner]
    return [_named_section(f"[{path}.NAME]", NAMED_TABLES[path]), *rules]


def _row(setting: Setting) -> str:
    cells = (f"`{setting.path}`", f"`{setting.environment}`", setting.type, _default(setting), setting.help)
    return _line(cells)


def _named_section(heading: str, struct: type[Struct]) -> str:
    rows = (_line((f"`{key.path}`", key.type, _default(key), key.help)) for key in list_settings(struct))
    return f"\n### `{heading}`\n\n{_NAMED_HEAD}{''.join(rows)}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(setting: Setting) -> str:
    """The default as it would stand in the file: JSON writes text, numbers, truth values and lists as TOML does."""
    if setting.default is NODEFAULT:
        return "required"
    return "none" if setting.default is None else f"`{json.dumps(setting.default)}`"
