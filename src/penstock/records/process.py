"""What running processes tell each other: which generation of the routes an edge serves, and who holds a lease."""

from datetime import datetime

from msgspec import Struct


class EdgeConfirmation(Struct, frozen=True, kw_only=True):
    """One row of the registry's `edges`: this worker answered by this generation of the routes when last seen."""

    worker_id: str
    generation: int
    seen_at: datetime


class Lease(Struct, frozen=True, kw_only=True):
    """One row of the registry's `leases`: only this holder does the thing so named, until it expires."""

    name: str
    holder: str
    expires_at: datetime
