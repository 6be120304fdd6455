"""Warns in the log when an application stops meeting its contract: once per field and state, looked at now and then.

An application without a contract of its own is warned of only when it falls against the week before.
"""

import logging
import time
from datetime import date

import ibis
import ibis.expr.types as ir

from penstock.ingest.contract import WEEK, FieldShare, Status, check_contracts, contract_shares
from penstock.ingest.contract_fields import change
from penstock.lake.lake import Lake
from penstock.records.clock import utc_now
from penstock.settings import Settings

INTERVAL_S = 3600.0
_MOST_ROWS = 200_000

logger = logging.getLogger(__name__)


class ContractWatch:
    """Remembers what it has warned of; a field that is met again may be warned of again."""

    def __init__(self, settings: Settings, interval_s: float = INTERVAL_S) -> None:
        check_contracts(settings.contracts)
        self._settings = settings
        self._interval_s = interval_s
        self._looked_at: float | None = None
        self._warned: dict[tuple[str | None, str], Status] = {}

    def look(self, lake: Lake) -> None:
        """Look at the last two weeks, if the last look was long ago."""
        if self._looked_at is not None and time.monotonic() - self._looked_at < self._interval_s:
            return
        self._looked_at = time.monotonic()
        now = utc_now()
        interactions = sample_interactions(lake, ((now - 2 * WEEK).date(), now.date()))
        for share in contract_shares(interactions, self._settings.contracts, self._settings.traffic.exposures, now):
            self._tell(share)

    def _tell(self, share: FieldShare) -> None:
        key = share.application, share.field
        is_told = share.is_warning and (share.status == "fell" or share.application in self._settings.contracts)
        if not is_told:
            self._warned.pop(key, None)
        elif self._warned.get(key) != share.status:
            self._warned[key] = share.status
            logger.warning("%s", describe(share))


def sample_interactions(lake: Lake, dates: tuple[date, date]) -> ir.Table:
    """The interactions of these days; of very many a fair share, since settling waits while the worker looks.

    Ids are hashes: those with the same end are a sample that depends on nothing else.
    """
    revisions = lake.revisions("interactions", dates=dates)
    rows = int(revisions.count().to_pyarrow().as_py())
    digits = 0
    while rows > _MOST_ROWS:
        rows, digits = rows // 16, digits + 1
    if not digits:
        return lake.current("interactions", dates=dates)
    # Picked before the latest revision of each is found, which is what takes the time.
    chosen = revisions.filter(revisions.interaction_id.right(digits) == "0" * digits)
    latest = chosen.mutate(place=ibis.row_number().over(group_by="interaction_id", order_by=[ibis.desc("revision")]))
    counting: ir.Table = latest.filter(latest.place == 0, latest.merged_into.isnull())
    return counting


def describe(share: FieldShare) -> str:
    """One line: what is not met, by how much, and what to do."""
    name = share.application or "an application without a name"
    if share.share is None:
        return f"The contract of {name}: no traffic in seven days."
    before = "" if share.week_before is None else f", {share.week_before:.1%} the week before"
    return (
        f"The contract of {name}: {share.share:.1%} of {share.interactions:,} interactions say {share.field} "
        f"(at least {share.min_share:.0%} should{before}). {change(share.field).otel}; see `penstock ingest contract`."
    )
