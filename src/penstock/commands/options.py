"""Options that many commands share, declared once, and the settings made of them."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.config import LoadedSettings, load_settings
from penstock.errors import BadInputError, ConfigurationError

Home = Annotated[Path | None, typer.Option("--home", help="Home directory; default ./.penstock or PENSTOCK_HOME.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Override = Annotated[
    list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Set one setting, e.g. edge.port=0; may be repeated.")
]


def load(
    home: Path | None = None, override: list[str] | None = None, environment: Mapping[str, str] | None = None
) -> LoadedSettings:
    """The settings that hold for this command line."""
    flags: dict[str, Any] = dict(_parse_override(text) for text in override or [])
    if home is not None:
        flags["home"] = str(home)
    return load_settings(flags=flags, environment=environment)


def _parse_override(text: str) -> tuple[str, Any]:
    path, separator, value = text.partition("=")
    if not separator:
        raise ConfigurationError(f"--set {text!r} has no value; write --set edge.port=4318.")
    try:
        return path.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return path.strip(), value


def parse_json_object(text: str | None, option: str) -> dict[str, Any]:
    """A JSON object given on the command line, or read from a file when the text starts with @."""
    if not text:
        return {}
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except OSError as error:
            raise BadInputError(f"{option}: cannot read {text[1:]}: {error.strerror}.") from error
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInputError(f"{option}: not valid JSON ({error}): {text[:80]!r}.") from error
    if not isinstance(value, dict):
        raise BadInputError(f"{option} takes a JSON object, not {text[:80]!r}.")
    return value
