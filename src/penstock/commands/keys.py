"""`penstock keys`: API keys for the edge."""

from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.commands import options
from penstock.commands.printing import print_fields, print_rows
from penstock.records.access import Scope

Scopes = Annotated[
    list[Scope] | None, typer.Option("--scope", help="What it may do; may be repeated. Default: ingest, feedback and gateway.")
]


def register(cli: typer.Typer, name: str, summary: str) -> None:
    """Add `keys`."""
    keys = typer.Typer(help=summary, no_args_is_help=True)
    keys.command("create")(create)
    keys.command("list")(show_all)
    keys.command("revoke")(revoke)
    cli.add_typer(keys, name=name)


def create(
    name: Annotated[str, typer.Argument(help="Whom it is for.")],
    scope: Scopes = None,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Make a key and print it, this once."""
    registry = Penstock(options.load(home).settings).registry
    scopes = {str(item) for item in scope or [Scope.INGEST, Scope.FEEDBACK, Scope.GATEWAY]}
    plain = registry.keys.create(name, scopes)
    print_fields({"key": plain, "name": name, "scopes": sorted(scopes)}, as_json=json)


def show_all(home: options.Home = None, json: options.Json = False) -> None:
    """List keys; a key itself is never shown again."""
    keys = Penstock(options.load(home).settings).registry.keys.list()
    print_rows(
        [
            {
                "key_id": key.key_id,
                "name": key.name,
                "scopes": list(key.scopes),
                "created_at": key.created_at,
                "revoked_at": key.revoked_at,
            }
            for key in keys
        ],
        as_json=json,
        empty="No keys: the edge listens on loopback only, and is open there.",
    )


def revoke(
    key_id: Annotated[str, typer.Argument(help="As `penstock keys list` shows it.")],
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Stop accepting a key."""
    key = Penstock(options.load(home).settings).registry.keys.revoke(key_id)
    print_fields({"key_id": key.key_id, "name": key.name, "revoked_at": key.revoked_at}, as_json=json)
