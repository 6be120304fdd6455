"""How voters vote on patterns of interactions that cannot be told apart, and where their silence says something."""

from collections.abc import Iterable, Mapping, Sequence

import numpy
from msgspec import Struct
from numpy.typing import NDArray

from penstock.labels.labelling_functions import LabellingFunction, Voter
from penstock.statistics.votes import ABSTAIN, Floats, Indexes

Flags = NDArray[numpy.bool_]
BAD, GOOD = 0, 1  # the classes
_CLASS = {None: ABSTAIN, "bad": BAD, "good": GOOD}


class Patterns(Struct, frozen=True, kw_only=True):
    """What can be told apart among interactions; each row stands for `times` of them."""

    application: list[str]  # "" for none
    went_on: Flags  # its session did
    is_old: Flags  # old enough for silence to count
    fired: Indexes  # a bit for each function that votes
    truth: Indexes  # the class by people's labels, -1 where there are none or they do not agree
    drawn: Floats  # with which probability people were asked
    times: Floats  # interactions


class Cast(Struct, frozen=True, kw_only=True):
    """The votes of voters, or of groups that count as one, on patterns."""

    answer: Indexes  # patterns by voters: 0, 1, or -1 for silence
    could: Flags  # patterns by voters: one of a single answer could have spoken
    is_old: Flags  # patterns
    only: Indexes  # voters: the class of the one answer that each knows, -1 for both

    @property
    def spoke(self) -> Flags:
        """Where each has voted."""
        spoke: Flags = self.answer != ABSTAIN
        return spoke

    @property
    def is_silent(self) -> Flags:
        """Where silence says something: of those with a single answer, where they could have spoken and time has passed."""
        return self._may_be_silent & self.is_old[:, None]

    @property
    def counted(self) -> Indexes:
        """The votes, silence being the other answer; of those with a single answer, only where they could have spoken."""
        folded = numpy.where(self._may_be_silent, 1 - self.only, self.answer)
        return numpy.where((self.only == ABSTAIN) | self.could, folded, ABSTAIN)

    @property
    def told(self) -> Indexes:
        """The votes, and silence that says something as the other answer."""
        return numpy.where(self.is_silent, 1 - self.only, self.answer)

    @property
    def _may_be_silent(self) -> Flags:
        silent: Flags = self.could & ~self.spoke & (self.only != ABSTAIN)
        return silent


def heard_in(patterns: Patterns, functions: Sequence[LabellingFunction]) -> dict[str, tuple[str, ...]]:
    """By application, the functions that vote there at all."""
    masks: dict[str, int] = {}
    for application, fired in zip(patterns.application, patterns.fired.tolist(), strict=True):
        masks[application] = masks.get(application, 0) | fired
    return {name: tuple(one.name for place, one in enumerate(functions) if mask >> place & 1) for name, mask in masks.items()}


def cast_votes(
    patterns: Patterns, functions: Sequence[LabellingFunction], voters: Sequence[Voter], heard: Mapping[str, Sequence[str]]
) -> Cast:
    """How each voter votes on each pattern; one that contradicts itself abstains."""
    masks = [(_mask(voter.good), _mask(voter.bad)) for voter in voters]
    says = [((patterns.fired & good) != 0, (patterns.fired & bad) != 0) for good, bad in masks]
    places = {function.name: place for place, function in enumerate(functions)}
    known = {name: _mask(places[one] for one in names if one in places) for name, names in heard.items()}
    there = numpy.array([known.get(name, 0) for name in patterns.application], dtype=numpy.int64)
    could = [
        ((there & (good | bad)) != 0) & (patterns.went_on | (voter.silence == "reported"))
        for voter, (good, bad) in zip(voters, masks, strict=True)
    ]
    return Cast(
        answer=numpy.stack([_one_answer(good, bad) for good, bad in says], axis=1),
        could=numpy.stack(could, axis=1),
        is_old=patterns.is_old,
        only=numpy.array([_CLASS[voter.only_answer] for voter in voters], dtype=numpy.int64),
    )


def merged(cast: Cast, groups: Iterable[Sequence[int]]) -> Cast:
    """Each group as one voter, which abstains where its members contradict each other."""
    answers, could, only = [], [], []
    for group in groups:
        members = cast.answer[:, list(group)]
        answers.append(_one_answer((members == GOOD).any(axis=1), (members == BAD).any(axis=1)))
        could.append(cast.could[:, list(group)].any(axis=1))
        known = {int(cast.only[one]) for one in group}
        only.append(known.pop() if len(known) == 1 else ABSTAIN)
    return Cast(
        answer=numpy.stack(answers, axis=1),
        could=numpy.stack(could, axis=1),
        is_old=cast.is_old,
        only=numpy.array(only, dtype=numpy.int64),
    )


def _one_answer(good: Flags, bad: Flags) -> Indexes:
    return numpy.where(good & ~bad, GOOD, numpy.where(bad & ~good, BAD, ABSTAIN)).astype(numpy.int64)


def _mask(places: Iterable[int]) -> int:
    return sum(1 << place for place in places)
