"""Puts what cues leave unsure to the judge, where one is set: beside settling and reading, which never wait for a model.

One process at a time, by a lease. A server that is away is asked ever more seldom, and logged once.
"""

import logging
import os
import time
from collections.abc import Callable
from datetime import datetime

from penstock.judging.judge import Judge, judge_of
from penstock.lake.lake import Lake
from penstock.records.clock import utc_now
from penstock.signals.feedback_judge import MOST_AT_ONCE, Judged, judge_feedback
from penstock.worker.stores import Stores

LEASE = "judge"
LEASE_S = 600.0  # longer than the questions between two commits take, failures of the server included
FIRST_RETRY_S = 10.0
LONGEST_RETRY_S = 3600.0

logger = logging.getLogger(__name__)


class Judging:
    """The judge of one home, used by one thread."""

    def __init__(
        self,
        judge: Judge,
        stores: Stores,
        holder: str,
        *,
        go_on: Callable[[], bool] = lambda: True,
        now: Callable[[], datetime] = utc_now,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._judge = judge
        self._stores = stores
        self._holder = holder
        self._go_on = go_on
        self._now = now
        self._seconds = seconds
        self._lake: Lake | None = None
        self._away = 0  # how often in a row the server was
        self._not_before = float("-inf")

    def step(self) -> Judged | None:
        """Ask about what is due, unless the server is given time; None then."""
        if self._seconds() < self._not_before:
            return None
        judged = self.judge()
        if judged is None or judged.away is None:
            self._away = 0
            return judged
        if not self._away:
            logger.error("The judge at %s is away; it is asked again, ever more seldom: %s", self._judge.base_url, judged.away)
        self._not_before = self._seconds() + min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(self._away, 20))
        self._away += 1
        return judged

    def judge(self, most: int = MOST_AT_ONCE) -> Judged | None:
        """Ask about what is due, once; None where another process is at it."""
        if not self._holds_lease():
            return None
        self._lake = self._lake or self._stores.open_lake()
        try:
            return judge_feedback(
                self._lake,
                self._judge,
                self._stores.clock,
                exposures=self._stores.settings.traffic.exposures,
                now=self._now(),
                most=most,
                go_on=lambda: self._go_on() and self._holds_lease(),
            )
        finally:
            self._stores.registry.leases.release(LEASE, self._holder)

    def _holds_lease(self) -> bool:
        return self._stores.registry.leases.acquire(LEASE, self._holder, LEASE_S, utc_now())


def find_judge(stores: Stores) -> Judge | None:
    """The judge that is set for this home, or None. Raises ConfigurationError."""
    return judge_of(stores.settings.judge, stores.settings.gateway, os.environ)
