"""The expert: a person with a budget, who looks at what no function explains, and turns what she finds into functions.

What she is shown is drawn by novelty, every draw with its probability. She is simulated: she knows the truth of what she is
shown, some hours later, and when she has seen an attack a few times she can say what its transactions have in common.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy
from examples.card_testing.attackers import ENUMERATION, PATTERNS
from examples.card_testing.functions import FRAUD, Function
from examples.card_testing.transactions import HOUR
from examples.card_testing.world import CLIENTS

ANSWERS_AFTER = 8 * HOUR
SEEN_BEFORE_FINDING = 3  # frauds of one attack, before she can say what they have in common


@dataclass(frozen=True)
class Task:
    """One transaction in her queue."""

    interaction_id: str
    number: int
    pass_probability: float  # with which its outcome could be seen at all; that of the draw is kept with the draw
    asked_at: float


@dataclass
class Expert:
    """Her queue, her answers and her findings."""

    queue: list[Task] = field(default_factory=list)
    findings: list[Function] = field(default_factory=list)
    _seen: Counter[int] = field(default_factory=Counter)

    def answers(self, now: float, pattern_of: "numpy.ndarray[tuple[int], numpy.dtype[numpy.int64]]") -> list[tuple[Task, bool]]:
        """What she has got to by now; `pattern_of` is the truth, by number of transaction, negative where it is honest."""
        done = [task for task in self.queue if task.asked_at + ANSWERS_AFTER <= now]
        self.queue = [task for task in self.queue if task.asked_at + ANSWERS_AFTER > now]
        answered = []
        for task in done:
            pattern = int(pattern_of[task.number])
            answered.append((task, pattern >= 0))
            if pattern >= 0:
                self._seen[pattern] += 1
                if self._seen[pattern] == SEEN_BEFORE_FINDING:
                    self.findings.append(describe(pattern))
        return answered


def describe(number: int) -> Function:
    """What the transactions of an attack have in common, as far as a person can see it."""
    pattern, said = PATTERNS[number], []
    if pattern.own_client:
        said.append(f"client = 'c{CLIENTS + number:x}'")
    said.append({"tiny": "amount <= 2", "none": "amount = 0", "typical": "amount > 2"}[pattern.amount])
    if not pattern.human_pace:
        said.append("checkout_s < 8")
    if not pattern.old_accounts:
        said.append("account_age < 1")
    together = ("merchant", "card_range") if pattern.form == ENUMERATION else ("merchant",)
    return Function(
        name=f"expert_{number}",
        vote=FRAUD,
        where=" AND ".join([*said, "times_seen = 1"]),
        together=together,
        hours=6,
        least=3 if pattern.own_client or pattern.form == ENUMERATION else 8,
        least_share=0.0 if pattern.own_client else 0.25,
    )
