"""API keys: the plain text is shown once and stored nowhere; what is stored is the sha256 of 256 random bits.

A key carries its id, so that it is looked up by what is no secret and the secret is only ever compared in constant time.
"""

import builtins
import hashlib
import hmac
import secrets
from collections.abc import Set
from datetime import datetime

from sqlalchemy import exists, insert, select

from penstock.errors import BadInputError
from penstock.records.access import Key, Scope
from penstock.records.clock import utc_now
from penstock.registry.database import Database
from penstock.registry.rows import Rows
from penstock.registry.tables import KEYS

_PREFIX = "pk"
_SECRET_BYTES = 32


class Keys:
    """The registry's `keys`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(KEYS, Key, "key")

    def create(self, name: str, scopes: Set[str], at: datetime | None = None) -> str:
        """Make a key and return its plain text, which can never be had again."""
        unknown = sorted(set(scopes) - set(Scope))
        if unknown or not scopes:
            what = f"the scope {unknown[0]!r}, which does not exist" if unknown else "no scope"
            raise BadInputError(f"The key {name!r} is to have {what}; choose from {', '.join(Scope)}.")
        key_id, secret = secrets.token_hex(8), secrets.token_hex(_SECRET_BYTES)
        values = {"key_id": key_id, "name": name, "scopes": sorted(map(str, scopes)), "created_at": at or utc_now()}
        with self._database.transaction() as connection:
            connection.execute(insert(KEYS).values(**values, secret_hash=_hash(secret)))
        return f"{_PREFIX}_{key_id}_{secret}"

    def verify(self, plain: str) -> Key | None:
        """The key whose plain text this is, unless it was revoked."""
        if not (plain.isascii() and plain.isprintable()):
            return None  # no key of ours, and nothing that every database could look up
        prefix, _, rest = plain.partition("_")
        key_id, _, secret = rest.partition("_")
        with self._database.reading() as connection:
            stored = connection.execute(select(KEYS.c.secret_hash).where(KEYS.c.key_id == key_id)).scalar()
            key = self._rows.find(connection, key_id)
        is_right = hmac.compare_digest(_hash(secret), stored or _hash(""))
        if prefix != _PREFIX or key is None or not is_right or key.revoked_at is not None:
            return None
        return key

    def revoke(self, key_id: str, at: datetime | None = None) -> Key:
        """Let it open nothing from now on; a key revoked before stays as it is."""
        with self._database.transaction() as connection:
            key = self._rows.get(connection, key_id, lock=True)
            return key if key.revoked_at is not None else self._rows.change(connection, (key_id,), revoked_at=at or utc_now())

    def any_active(self) -> bool:
        """Whether there is a key that has not been revoked."""
        with self._database.reading() as connection:
            return bool(connection.execute(select(exists().where(KEYS.c.revoked_at.is_(None)))).scalar())

    def list(self) -> builtins.list[Key]:
        """All of them, revoked ones too, oldest first."""
        with self._database.reading() as connection:
            return self._rows.list(connection, order=(KEYS.c.created_at, KEYS.c.key_id))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
