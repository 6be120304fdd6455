"""Which arm a unit of traffic gets: a sticky hash split, so that a user stays on one side for as long as the release lasts.

Pure: the same route and unit give the same arm in every edge and after every restart, with nothing stored. The salt belongs
to the release, so that who was in the last canary says nothing about who is in this one.
"""

import hashlib
from typing import NamedTuple

from penstock.records.release import Arm, Route


class Assignment(NamedTuple):
    """The side that answers, how likely it was to be chosen, and the checkpoint that it serves."""

    arm: Arm
    probability: float  # of this arm, stored on every interaction
    checkpoint_id: str


def choose_arm(route: Route, unit: str) -> Assignment:
    """The arm of a unit: its user, else its session, else its request."""
    candidate, share = route.candidate_checkpoint_id, route.candidate_share
    if candidate is None or share <= 0.0:
        return Assignment(arm=Arm.STABLE, probability=1.0, checkpoint_id=route.stable_checkpoint_id)
    if position(route.salt, unit) < share:
        return Assignment(arm=Arm.CANDIDATE, probability=min(share, 1.0), checkpoint_id=candidate)
    return Assignment(arm=Arm.STABLE, probability=1.0 - share, checkpoint_id=route.stable_checkpoint_id)


def position(salt: str, unit: str) -> float:
    """Where a unit lies in [0, 1), uniform over units and independent between salts."""
    hashed = hashlib.sha256(f"{salt}:{unit}".encode("utf-8", "surrogatepass")).digest()
    return (int.from_bytes(hashed[:8], "big") >> 11) / 2**53  # 53 bits are what a float holds, so 1.0 cannot come out
