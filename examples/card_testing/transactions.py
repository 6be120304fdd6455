"""Transactions as columns: what a payment platform sees of each, and, apart from it, what only the simulation knows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

Floats = NDArray[numpy.float64]
Integers = NDArray[numpy.int64]

HOUR, DAY = 3_600.0, 86_400.0
HONEST = -1


@dataclass(frozen=True)
class Transactions:
    """One entry per transaction in each column, in order of time."""

    number: Integers  # the transaction's own, unique over the stream
    time: Floats  # seconds since the stream began
    card: Integers
    card_range: Integers  # the first digits of the card's number: who issued it
    merchant: Integers
    device: Integers
    network: Integers
    client: Integers  # the build of browser or app that asked
    amount: Floats
    checkout_s: Floats  # how long the customer took
    account_age: Floats  # days since the merchant first saw this customer
    foreign: Integers  # 1 where card and network are of different countries
    campaign: Integers  # HONEST, or the attack that it belongs to; hidden from everything but the simulation
    pattern: Integers  # of the attack; hidden

    @property
    def fraud(self) -> NDArray[numpy.bool_]:
        """The truth, which only the oracle, the issuers and the final reckoning have."""
        return self.campaign != HONEST

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: "Integers | NDArray[numpy.bool_]") -> "Transactions":
        """Some of them."""
        return Transactions(**{name: getattr(self, name)[rows] for name in COLUMNS})


COLUMNS: Sequence[str] = tuple(Transactions.__dataclass_fields__)


def join(parts: Iterable[Transactions]) -> Transactions:
    """Several, in order of time; those of one instant as they were given."""
    given = list(parts)
    columns = {name: numpy.concatenate([getattr(part, name) for part in given]) for name in COLUMNS}
    whole = Transactions(**columns)
    return whole.take(numpy.argsort(whole.time, kind="stable"))
