"""Labelling functions: each looks at transactions hours later, together with what came before and after, and votes or abstains.

A function is data, not code: which rows, counted together by what, within how many hours, how many at least. So what an expert
finds becomes one more function while the stream runs, and each vote names the function and its parameters.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import pyarrow as pa
from msgspec import Struct

from penstock.lake.in_memory import open_database
from penstock.records.ids import digest

HONEST, FRAUD = 0, 1
_MANY = 1_000_000_000


class Function(Struct, frozen=True, kw_only=True):
    """Votes on the rows for which `where` holds, where enough of those that are counted stand around them."""

    name: str
    vote: int
    where: str = "true"  # SQL over the columns of TRANSACTIONS
    counted: str = ""  # of which rows the cards are counted; empty for those of `where`
    together: tuple[str, ...] = ()  # what the rows that are counted have in common
    hours: float = 3.0  # how far before and after a row they are counted
    least: int = 1  # different cards
    most: int | None = None
    least_share: float = 0.0  # of all transactions around it that have the same in common
    anyway: str = "false"  # SQL: rows among those of `where` that it votes on whatever stands around them

    @property
    def definition(self) -> str:
        """How votes name it: with a hash of what defines it."""
        return f"{self.name}@{digest(msgspec.json.encode(self).decode())[:8]}"


FUNCTIONS = (
    Function(
        name="many_cards_of_one_range", vote=FRAUD, where="account_age < 3", together=("card_range", "merchant"), hours=4, least=9
    ),
    Function(name="many_cards_on_one_device", vote=FRAUD, together=("device",), hours=12, least=5),
    Function(name="many_cards_on_one_network", vote=FRAUD, where="account_age < 3", together=("network",), hours=12, least=9),
    Function(
        name="declines_together",
        vote=FRAUD,
        where="issuer = 'declined'",
        together=("merchant",),
        hours=4,
        least=5,
        least_share=0.15,
    ),
    Function(
        name="amid_declines",
        vote=FRAUD,
        where="issuer = 'approved' AND times_seen = 1 AND account_age < 3",
        counted="issuer = 'declined' AND times_seen = 1",
        together=("merchant",),
        hours=3,
        least=5,
        least_share=0.3,
    ),
    Function(
        name="declined_of_one_range",
        vote=FRAUD,
        where="account_age < 3 OR times_seen = 1",
        counted="issuer = 'declined'",
        together=("card_range", "merchant"),
        hours=12,
        least=3,
        least_share=0.4,
    ),
    Function(
        name="declined_with_one_client",
        vote=FRAUD,
        where="times_seen = 1",
        counted="issuer = 'declined' OR alerted",
        together=("client", "merchant"),
        hours=6,
        least=3,
        least_share=0.4,
    ),
    Function(name="issuer_alert", vote=FRAUD, where="alerted"),
    Function(
        name="quiet",
        vote=HONEST,
        where="hours_old >= 12 AND NOT alerted AND cards_on_device <= 3",
        # Guessed and stolen cards are tried once. Without those who come back, nothing near an attack would be called honest, and
        # false positives would be counted on the easy transactions alone.
        anyway="seen_in_week >= 2",
        counted="issuer = 'declined' OR decision = 'blocked'",
        together=("merchant",),
        hours=3,
        least=0,
        most=3,
    ),
)

TRANSACTIONS = """
SELECT *, date_diff('second', started_at, $now) / 3600.0 AS hours_old,
  count(*) OVER (PARTITION BY card) AS times_seen,
  count(DISTINCT card) OVER (PARTITION BY device) AS cards_on_device
FROM arrived
"""


def vote(functions: Sequence[Function], transactions: pa.Table, now: datetime) -> dict[str, list[str]]:
    """The ids that each function votes on, by its name; `transactions` are those of the last days as the lake has them."""
    engine = open_database()
    engine.register("arrived", transactions)
    engine.execute(f"CREATE TEMP TABLE transactions AS {TRANSACTIONS}", {"now": now})
    found = {}
    for function in functions:
        rows = engine.sql(_query(function)).to_arrow_table()
        found[function.name] = [str(one) for one in rows.column(0).to_pylist()]
    engine.close()
    return found


def _query(function: Function) -> str:
    """The function as one SELECT; rows that were blocked are counted, since the platform sees them, but never voted on."""
    if not function.together:
        return f"SELECT interaction_id FROM transactions WHERE decision = 'passed' AND ({function.where})"
    counted = function.counted or function.where
    reach = f"INTERVAL {int(function.hours * 60)} MINUTE"
    same = ", ".join(function.together)
    around = f"PARTITION BY {same} ORDER BY started_at RANGE BETWEEN {reach} PRECEDING AND {reach} FOLLOWING"
    most = _MANY if function.most is None else function.most
    return f"""
      SELECT interaction_id FROM (
        SELECT interaction_id, decision, ({function.where}) AS meant, ({function.anyway}) AS anyway,
          count(DISTINCT card) FILTER (WHERE {counted}) OVER ({around}) AS cards,
          count(*) OVER ({around}) AS everything
        FROM transactions)
      WHERE decision = 'passed' AND meant
        AND (anyway OR cards BETWEEN {function.least} AND {most} AND cards >= {function.least_share} * everything)"""
