"""Labelling functions: each reads one signal, and votes for one answer where a condition holds; elsewhere it abstains.

They are data, so that millions of signals are judged by the engine. Functions that read the same signal and vote for opposite
answers are the two answers of one voter, whose silence means nothing. The silence of a voter that knows one answer only means a
little, where it could have spoken. Praise has no function: it is recorded, and trains nothing by itself.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct, field

from penstock.errors import ConfigurationError
from penstock.labels.schema import GOOD
from penstock.records.ids import digest
from penstock.settings import LabellingFunctionSettings

Answer = Literal["good", "bad"]
Silence = Literal["reported", "went_on"]
PRAISED = "feedback"  # the signal of what users say of an answer; 1 is praise
MOST_FUNCTIONS = 62  # of one dimension: a bit of a 64-bit number for each
FAMILIES = ("outcome.", "feedback.")  # signals that are named by whoever reports them


class LabellingFunction(Struct, frozen=True, kw_only=True):
    """Votes where the signal's value lies within the limits and its evidence says this."""

    name: str
    signal: str  # `retention.*` reads retention, and retention.30s and all others below it
    votes: Answer
    at_least: float | None = None
    at_most: float | None = None
    evidence: dict[str, str] = field(default_factory=dict)
    dimension: str = GOOD
    # Where silence counts: in applications in which it has ever voted, or there only once the session has gone on.
    silence: Silence = "reported"


class Voter(Struct, frozen=True, kw_only=True):
    """The functions of one dimension that answer as one, by their places among all functions of it."""

    name: str
    good: tuple[int, ...]
    bad: tuple[int, ...]
    silence: Silence

    @property
    def only_answer(self) -> Answer | None:
        """The one answer that it knows; None where it knows both."""
        if self.good and self.bad:
            return None
        return "good" if self.good else "bad"


_BUILT_IN = (
    LabellingFunction(name="rated_high", signal="rating", at_least=0.5, votes="good"),
    LabellingFunction(name="rated_low", signal="rating", at_most=-0.5, votes="bad"),
    LabellingFunction(name="copied", signal="copy", at_least=0.5, votes="good"),
    LabellingFunction(name="accepted", signal="acceptance", at_least=0.5, votes="good"),
    LabellingFunction(name="rejected", signal="acceptance", at_most=0.2, votes="bad"),
    LabellingFunction(name="edited_lightly", signal="edit", at_most=0.2, votes="good"),
    LabellingFunction(name="rewritten", signal="edit", at_least=0.5, votes="bad"),
    LabellingFunction(name="retained", signal="retention.*", at_least=0.67, votes="good"),
    LabellingFunction(name="discarded", signal="retention.*", at_most=0.33, votes="bad"),
    LabellingFunction(
        name="retried", signal="retry", at_least=0.7, evidence={"kind": "rephrase"}, votes="bad", silence="went_on"
    ),
    LabellingFunction(name="repeated", signal="retry", at_least=0.5, evidence={"kind": "exact"}, votes="bad", silence="went_on"),
    LabellingFunction(name="complained", signal=PRAISED, at_most=-0.5, votes="bad", silence="went_on"),
    LabellingFunction(name="regenerated", signal="regenerate", at_least=0.5, votes="bad"),
    LabellingFunction(name="came_back", signal="abandonment", at_least=0.6, votes="bad"),
    LabellingFunction(name="completed", signal="completion", at_least=0.7, votes="good"),
    LabellingFunction(name="not_completed", signal="completion", at_most=0.3, votes="bad"),
    LabellingFunction(name="likely_completed", signal="predicted_completion", at_least=0.7, votes="good"),
    LabellingFunction(name="likely_failed", signal="predicted_completion", at_most=0.3, votes="bad"),
)
FUNCTIONS: dict[str, LabellingFunction] = {function.name: function for function in _BUILT_IN}


def all_functions(
    declared: Mapping[str, LabellingFunctionSettings], without: Collection[str] = (), signals: Collection[str] | None = None
) -> dict[str, LabellingFunction]:
    """The built-in functions and those that penstock.toml declares, which replace a built-in one of their name.

    `signals` are the names that a declared one may read, besides the families. ConfigurationError for what is unknown.
    """
    functions = {**FUNCTIONS, **{name: _declared(name, one, signals) for name, one in declared.items()}}
    unknown = sorted(set(without) - set(functions))
    if unknown:
        raise ConfigurationError(
            f"label_model.without names {', '.join(unknown)}, which is no labelling function; there are {', '.join(functions)}."
        )
    return {name: function for name, function in functions.items() if name not in without}


def of_dimension(functions: Iterable[LabellingFunction], dimension: str) -> list[LabellingFunction]:
    """The functions of one dimension, in an order of their own. ConfigurationError where there are too many, or none."""
    functions = list(functions)
    chosen = sorted((one for one in functions if one.dimension == dimension), key=lambda one: one.name)
    if not chosen:
        there = ", ".join(sorted({one.dimension for one in functions})) or "none"
        raise ConfigurationError(f"No labelling function votes on the dimension {dimension!r}; there are: {there}.")
    if len(chosen) > MOST_FUNCTIONS:
        raise ConfigurationError(
            f"{len(chosen)} labelling functions vote on {dimension!r}, at most {MOST_FUNCTIONS} can; leave some out by "
            "label_model.without."
        )
    return chosen


def voters_of(functions: Sequence[LabellingFunction]) -> list[Voter]:
    """The voters that these functions make, in the order of their first."""
    places: dict[str, list[int]] = {}
    for place, function in enumerate(functions):
        said = ", ".join(f"{key} {value}" for key, value in sorted(function.evidence.items()))
        places.setdefault(f"{function.signal} {said}".strip(), []).append(place)
    return [
        Voter(
            name=name,
            good=tuple(place for place in chosen if functions[place].votes == "good"),
            bad=tuple(place for place in chosen if functions[place].votes == "bad"),
            silence="went_on" if any(functions[place].silence == "went_on" for place in chosen) else "reported",
        )
        for name, chosen in places.items()
    ]


def reads(function: LabellingFunction) -> tuple[str, str | None]:
    """The name of the signal that it reads, and how the names begin that it reads besides, where it reads a family."""
    if not function.signal.endswith(".*"):
        return function.signal, None
    name = function.signal.removesuffix(".*")
    return name, f"{name}."


def hash_of(functions: Sequence[LabellingFunction]) -> str:
    """Another one whenever the same signals could be voted on in another way."""
    return digest(*(msgspec.json.encode(function, order="deterministic").decode() for function in functions))


def _declared(name: str, one: LabellingFunctionSettings, signals: Collection[str] | None) -> LabellingFunction:
    where = f"[labelling_functions.{name}]"
    if one.at_least is None and one.at_most is None and not one.evidence:
        raise ConfigurationError(f"{where} votes on every {one.signal}; give at_least, at_most or evidence.")
    if one.at_least is not None and one.at_most is not None and one.at_least > one.at_most:
        raise ConfigurationError(f"{where}: no value is at least {one.at_least:g} and at most {one.at_most:g}.")
    if one.signal == PRAISED and one.votes == "good":
        raise ConfigurationError(f"{where}: praise is recorded and is no vote for good; let it read another signal.")
    known = {signal.removesuffix(".*") for signal in signals or ()}
    if signals is not None and one.signal.partition(".")[0] not in known and not one.signal.startswith(FAMILIES):
        raise ConfigurationError(
            f"{where}: there is no signal {one.signal!r}; there are {', '.join(sorted(known))}, outcome.NAME and feedback.NAME."
        )
    return LabellingFunction(name=name, **msgspec.structs.asdict(one))
