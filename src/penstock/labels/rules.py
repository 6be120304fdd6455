"""Labels from signals, as pure functions: the evidence of one interaction in, an answer with the signals behind it out.

No evidence is no answer: an outcome that has not come yet is not a bad one.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from penstock.labels.schema import KEPT, REWARD
from penstock.records.signal import Signal
from penstock.settings import RewardSettings

RETRIED = 0.5  # probability of a retry from which an answer counts as not kept
ACCEPTED = 0.5
TESTS = "outcome.tests"


class Evidence(Struct, frozen=True, kw_only=True):
    """What is known of one interaction."""

    signals: Mapping[str, Signal]  # by name; the latest of each, none that was withdrawn
    moved_on: bool = False  # the session went on without a copy, in an application that reports copies


class Answer(Struct, frozen=True, kw_only=True):
    """A rule's answer, with the signals that it rests on and why."""

    value: float
    signals: Sequence[Signal]
    rationale: str


class Rule(Struct, frozen=True, kw_only=True):
    """One named, versioned way to answer one dimension."""

    name: str
    version: int
    dimension: str
    answer: Callable[[Evidence, RewardSettings], Answer | None]

    @property
    def annotator(self) -> str:
        """How labels name it."""
        return f"{self.name}@{self.version}"


def answer_kept(evidence: Evidence, _reward: RewardSettings) -> Answer | None:
    """Kept when accepted or copied; not kept when rejected, retried, or passed over where copies are reported."""
    signals = evidence.signals
    acceptance, copy, retry = signals.get("acceptance"), signals.get("copy"), signals.get("retry")
    if copy is not None:
        return Answer(value=1.0, signals=[copy], rationale="copied")
    if acceptance is not None and acceptance.value is not None:
        kept = acceptance.value >= ACCEPTED
        return Answer(value=float(kept), signals=[acceptance], rationale=f"acceptance {acceptance.value:g}")
    if retry is not None and retry.value is not None and retry.value >= RETRIED:
        return Answer(value=0.0, signals=[retry], rationale=f"retry {retry.value:.2f}")
    if evidence.moved_on:
        return Answer(value=0.0, signals=[], rationale="the session went on without a copy")
    return None


def answer_reward(evidence: Evidence, reward: RewardSettings) -> Answer | None:
    """The reward of a suggestion's fate; a suggestion that fails its tests is worth as much as a rejected one."""
    signals = evidence.signals
    acceptance, silent, tests = signals.get("acceptance"), signals.get("silent"), signals.get(TESTS)
    if acceptance is None or acceptance.value is None:
        return None if silent is None else Answer(value=reward.silent, signals=[silent], rationale="silent")
    if tests is not None and tests.value is not None and tests.value <= 0:
        return Answer(value=reward.rejected, signals=[acceptance, tests], rationale="its tests failed")
    value = reward.rejected + acceptance.value * (reward.accepted - reward.rejected)
    behind = [acceptance] if tests is None else [acceptance, tests]
    return Answer(value=value, signals=behind, rationale=f"acceptance {acceptance.value:g}")


# The signals that rules read; whatever else is new of an interaction changes none of its labels.
SIGNALS = frozenset({"acceptance", "copy", "retry", "silent", TESTS})

RULES: tuple[Rule, ...] = (
    Rule(name="kept", version=1, dimension=KEPT, answer=answer_kept),
    Rule(name="reward", version=1, dimension=REWARD, answer=answer_reward),
)
