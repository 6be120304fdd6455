"""`penstock erase`: forget users for good, and say which training sets and checkpoints had seen them."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, print_rows, to_plain
from penstock.errors import BadInputError
from penstock.worker.erasure import erase_users

_HASHED = re.compile("u_[0-9a-f]{24}")


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `erase`."""
    cli.command(name, help=summary)(erase)


def erase(
    user: Annotated[
        list[str] | None, typer.Option(help="A user's id, as the application sends it or as it is stored; may be repeated.")
    ] = None,
    users_file: Annotated[Path | None, typer.Option(help="One id in each line.")] = None,
    show: Annotated[bool, typer.Option("--list", help="List the erasures so far instead.")] = False,
    wait_s: Annotated[float, typer.Option(help="How long to wait for running edges to clean their spools.")] = 60.0,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Erase users from every table, spool, dataset and suite.

    Edges go on accepting meanwhile. Afterwards late spans and reports of these users are dropped.
    """
    penstock = Penstock(options.load(home).settings)
    if show:
        rows = [to_plain(erasure) for erasure in penstock.registry.erasures.list()]
        print_rows(rows, as_json=json, empty="Nobody was erased.")
        return
    named = _named(user or [], users_file)
    hashed = {name if _HASHED.fullmatch(name) else penstock.lake_redactor.hash_id(name, "user") for name in named}
    report = erase_users(penstock, hashed, wait_s, lambda text: print(text, file=sys.stderr))
    print_fields(to_plain(report), as_json=json)


def _named(users: list[str], file: Path | None) -> list[str]:
    lines: list[str] = []
    if file is not None:
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(
                f"{file} cannot be read as a list of users: {error}. Give a UTF-8 file with one id in each line."
            ) from error
    named = [name for name in (*users, *(line.strip() for line in lines)) if name]
    if not named:
        raise BadInputError("No user is named; give --user ID, which may be repeated, or --users-file FILE.")
    return named
