"""The audit log: who did what to which thing. Erasing a person blanks what names them; that something happened stays."""

import builtins
from datetime import datetime

from sqlalchemy import or_, update

from penstock.records.access import AuditEntry
from penstock.records.ids import random_id
from penstock.registry.database import Database
from penstock.registry.rows import Rows
from penstock.registry.tables import AUDIT_LOG

_ERASED = "[erased]"


class Audit:
    """The registry's `audit_log`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = Rows(AUDIT_LOG, AuditEntry, "audit entry")

    def write(self, actor: str, action: str, target: str, detail: str, at: datetime) -> AuditEntry:
        """Record one deed; inside `registry.transaction()` it is recorded with what was done, or not at all."""
        entry = AuditEntry(entry_id=random_id("a"), at=at, actor=actor, action=action, target=target, detail=detail)
        with self._database.transaction() as connection:
            return self._rows.put(connection, entry)

    def erase(self, subject: str, at: datetime) -> int:
        """Blank actor, target and detail of every entry that names this person or id, and return how many there were."""
        table = AUDIT_LOG.c
        names = or_(table.actor == subject, table.target == subject, table.detail.contains(subject, autoescape=True))
        blank = {"actor": _ERASED, "target": _ERASED, "detail": "", "erased_at": at}
        with self._database.transaction() as connection:
            return connection.execute(update(AUDIT_LOG).where(names).values(blank)).rowcount

    def list(self, target: str | None = None, limit: int | None = None) -> builtins.list[AuditEntry]:
        """All entries, or those on one target, newest first."""
        table = AUDIT_LOG.c
        on_it = None if target is None else table.target == target
        with self._database.reading() as connection:
            return self._rows.list(connection, on_it, order=(table.at.desc(), table.entry_id), limit=limit)
