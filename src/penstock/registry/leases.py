"""Leases: only one holder at a time does the thing so named, and one that dies loses it when it expires.

Time is what the caller says it is, so holders of one lease must share a clock within what they can bear.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, or_, update

from penstock.records.process import Lease
from penstock.registry.database import Database
from penstock.registry.rows import Rows, upsert
from penstock.registry.tables import LEASES


class Leases:
    """The registry's `leases`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(LEASES, Lease, "lease")

    def acquire(self, name: str, holder: str, ttl_s: float, at: datetime) -> bool:
        """Take it if it is free, expired or the holder's own already, and say whether that was so."""
        values = {"name": name, "holder": holder, "expires_at": at + timedelta(seconds=ttl_s)}
        with self._database.transaction() as connection:
            return upsert(connection, LEASES, values, where=or_(LEASES.c.expires_at <= at, LEASES.c.holder == holder))

    def renew(self, name: str, holder: str, ttl_s: float, at: datetime) -> bool:
        """Hold on to it, and say whether it was still held; once expired, it can only be acquired anew."""
        held = (LEASES.c.name == name) & (LEASES.c.holder == holder) & (LEASES.c.expires_at > at)
        with self._database.transaction() as connection:
            changed = connection.execute(update(LEASES).where(held).values(expires_at=at + timedelta(seconds=ttl_s)))
            return changed.rowcount == 1

    def release(self, name: str, holder: str) -> None:
        """Give it up, if it is the holder's."""
        with self._database.transaction() as connection:
            connection.execute(delete(LEASES).where(LEASES.c.name == name, LEASES.c.holder == holder))

    def get(self, name: str) -> Lease | None:
        """Who holds it, or held it last and died."""
        with self._database.reading() as connection:
            return self._rows.find(connection, name)
