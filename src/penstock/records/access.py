"""Key: what a machine shows to be let in; AuditEntry: who did what to which thing."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Scope(StrEnum):
    """What a key allows."""

    INGEST = "ingest"
    FEEDBACK = "feedback"
    BROWSER = "browser"  # feedback on single answers, from web pages, where everyone can read the key
    GATEWAY = "gateway"
    ADMIN = "admin"


class Key(Struct, frozen=True, kw_only=True):
    """One row of the registry's `keys`; the secret itself is stored nowhere, its hash in a column no record carries."""

    key_id: str
    name: str
    scopes: tuple[str, ...]  # Scopes, sorted
    created_at: datetime
    revoked_at: datetime | None = None


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One row of the registry's `audit_log`; erasing a person blanks the columns that name them and keeps the row."""

    entry_id: str
    at: datetime
    actor: str
    action: str
    target: str
    detail: str
    erased_at: datetime | None = None
