"""The applications that report copies: there, going on without one says something.

The first copy of an application is remembered as a transaction of the table of labels, in the commit that judges all that it was
passed over with; so nobody has to look through all signals to know.
"""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc
from ibis import _

from penstock.lake.lake import Lake
from penstock.lake.selection import ids_of

COPY = "copy"
LOOKED = "labels:copying"  # that the signals which were there before marks were kept have been looked through
_PREFIX = LOOKED + ":"


def mark_of(application: str) -> str:
    """The transaction by which the table of labels knows that an application reports copies."""
    return _PREFIX + application


def known_to_copy(lake: Lake, applications: Iterable[str]) -> frozenset[str]:
    """Those of these applications that are known to report copies."""
    return frozenset(name for name in applications if lake.transaction_version("labels", mark_of(name)) is not None)


def new_to_copy(lake: Lake, signals: pa.Table) -> frozenset[str]:
    """The applications whose first copies are among these new signals, or among all where nobody has looked yet."""
    if lake.transaction_version("labels", LOOKED) is None:
        rows = lake.revisions("signals")
        copies = ids_of(rows.filter(rows.name == COPY, rows.value.notnull(), rows.interaction_id.notnull()), "interaction_id")
    else:
        copies = signals.filter(pc.equal(signals.column("name"), pa.scalar(COPY))).select(["interaction_id"])
    if copies.num_rows == 0:
        return frozenset()
    copied = lake.current("interactions", ids=copies).filter(_.application.notnull())
    found = {str(name) for name in copied.select("application").distinct().to_pyarrow().column(0).to_pylist()}
    return frozenset(found - known_to_copy(lake, found))


def marks(applications: Iterable[str]) -> dict[str, int]:
    """The transactions to commit for applications that are new to copying."""
    return {LOOKED: 1, **{mark_of(name): 1 for name in applications}}
