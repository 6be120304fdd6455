"""The page of the documentation that lists every command, made from the command tree itself."""

from collections.abc import Iterable, Iterator
from typing import Any

_INTRODUCTION = """\
# Commands

Every command takes `--help`. `--home` says which Penstock is meant, `--json` prints one JSON document for machines.

"""
_TABLE_HEAD = "| argument or option | what it does |\n|---|---|\n"
_EVERYWHERE = {"--help"}


def commands_markdown(root: Any) -> str:
    """The whole page; `root` is the click group that typer makes of the command line."""
    return _INTRODUCTION + "\n".join(_section(f"penstock {name}", command) for name, command in _walk(root))


def _walk(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its full name, groups before what is in them."""
    for name, command in group.commands.items():
        yield prefix + name, command
        if hasattr(command, "commands"):
            yield from _walk(command, f"{prefix}{name} ")


def _section(name: str, command: Any) -> str:
    text = " ".join((command.help or "").split())
    if hasattr(command, "commands"):
        return f"## `{name}`\n\n{text}\n"
    level = "##" if name.count(" ") == 1 else "###"
    usage = " ".join([name, *(_argument_name(item) for item in command.params if item.param_type_name == "argument")])
    rows = "".join(_rows(command.params))
    return f"{level} `{usage}`\n\n{text}\n" + (f"\n{_TABLE_HEAD}{rows}" if rows else "")


def _rows(parameters: Iterable[Any]) -> Iterator[str]:
    for parameter in parameters:
        is_argument = parameter.param_type_name == "argument"
        if not is_argument and _EVERYWHERE & set(parameter.opts):
            continue
        shown = [_argument_name(parameter)] if is_argument else [*parameter.opts, *parameter.secondary_opts]
        text = str(parameter.help or "").replace("|", "\\|")
        yield f"| {', '.join(f'`{name}`' for name in shown)} | {text} |\n"


def _argument_name(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name.upper())
    return name if parameter.required else f"[{name}]"
