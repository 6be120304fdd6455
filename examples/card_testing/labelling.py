"""Where the labels of each arm come from: functions within hours, settled outcomes after a week, or the truth at once.

All three write the same thing, Labels of one question, each with the time at which it was known and the probability with which
its transaction could be seen at all: what was blocked has no outcome, so what was let through by lot stands for it.
"""

import json
from datetime import timedelta
from typing import Any, Protocol

import ibis
import numpy
import pyarrow as pa
import pyarrow.compute as pc
from examples.card_testing.expert import Expert, Task
from examples.card_testing.features import NAMES
from examples.card_testing.functions import FRAUD, FUNCTIONS, vote
from examples.card_testing.home import APPLICATION, DIMENSION, SCHEMA, Home, interaction_of, time_of
from examples.card_testing.transactions import DAY, HOUR, Floats, Integers
from ibis import _

from penstock.errors import BadInputError
from penstock.records.draw import Draw
from penstock.records.ids import digest, label_id, signal_id
from penstock.records.label import AnnotatorKind, Label
from penstock.records.signal import Signal, SignalKind
from penstock.statistics.label_model import fit_label_model
from penstock.statistics.novelty import draw_probabilities, novelty
from penstock.statistics.votes import votes_from_columns

WINDOW = 2 * DAY  # how long a transaction's label may still change
CARDS_LOOK_BACK = 7 * DAY  # in which it is counted how often a card has been seen
MATURE_AFTER = 7 * DAY
BUDGET = 12  # transactions that the expert is asked about, each half day
RIPE_AFTER = 12 * HOUR
REFERENCE = 1_500  # explained transactions that novelty is measured against
TAGS = ("card_range", "merchant", "device", "network", "client", "decision", "issuer")


class Labeller(Protocol):
    """One arm's source of labels."""

    def run(self, home: Home, truth: "Truth") -> int:
        """Label what can be labelled now; how many labels were written."""


class Truth:
    """What the simulation knows of each transaction, by number."""

    def __init__(self) -> None:
        self.pattern: Integers = numpy.zeros(0, dtype=numpy.int64)
        self.time: Floats = numpy.zeros(0)

    def add(self, pattern: Integers, time: Floats) -> None:
        """The next transactions."""
        self.pattern, self.time = numpy.concatenate([self.pattern, pattern]), numpy.concatenate([self.time, time])


class OracleLabels:
    """The truth of every transaction, blocked ones too, at once."""

    def __init__(self, begins: int) -> None:
        self._done = begins  # the number of the first transaction that it labels

    def run(self, home: Home, truth: Truth) -> int:
        """Label all that is new."""
        labels = [
            make_label(home, number, float(truth.pattern[number] >= 0), "oracle@1", float(truth.time[number]))
            for number in range(self._done, len(truth.pattern))
        ]
        self._done = len(truth.pattern)
        home.lake.append("labels", labels)
        return len(labels)


class SettledLabels:
    """What is known a week later of what went through: whoever was defrauded has said so by then, and nobody else has."""

    def __init__(self, since: float) -> None:
        self._until = since

    def run(self, home: Home, truth: Truth) -> int:  # noqa: ARG002 - what every labeller is given
        """Label what has become a week old since the last time."""
        until = home.at - MATURE_AFTER
        if until <= self._until:
            return 0
        rows = passed(home, self._until, until)
        disputed = _outcomes(home, "outcome.dispute", self._until, home.at)
        labels = [
            make_label(
                home,
                _number(row["request_id"]),
                float(row["interaction_id"] in disputed),
                "settled@1",
                row["seconds"],
                inclusion=row["pass_probability"],
                signals=[disputed[row["interaction_id"]]] if row["interaction_id"] in disputed else [],
            )
            for row in rows.to_pylist()
        ]
        self._until = until
        home.lake.append("labels", labels)
        return len(labels)


class WeakLabels:
    """What labelling functions say together within hours, and what an expert says of a few."""

    def __init__(self, seed: int, since: float) -> None:
        self.expert = Expert()
        self._since = since
        self._draw = numpy.random.default_rng([seed, 7])
        self._voted: set[tuple[str, str]] = set()
        self._standing: dict[str, tuple[str, float]] = {}  # label and probability of each interaction
        self._answers: dict[str, int] = {}

    @property
    def answered(self) -> int:
        """How many transactions the expert has judged."""
        return len(self._answers)

    @property
    def functions(self) -> tuple[Any, ...]:
        """Those that there were from the beginning, and the expert's."""
        return (*FUNCTIONS, *self.expert.findings)

    def run(self, home: Home, truth: Truth) -> int:
        """Vote on the last days, make probabilities of votes, ask the expert about what no function explains."""
        self._hear_expert(home, truth)
        since = max(self._since, home.at - WINDOW)
        rows = arrived(home, since, home.at)
        votes = vote(self.functions, rows, time_of(home.at))
        self._write_votes(home, rows, votes)
        labels = self._labels(home, rows, votes)
        home.lake.append("labels", labels)
        self._ask_expert(home, rows, votes)
        return len(labels)

    def _hear_expert(self, home: Home, truth: Truth) -> None:
        labels = []
        for task, is_fraud in self.expert.answers(home.at, truth.pattern):
            self._answers[task.interaction_id] = int(is_fraud)
            label = make_label(
                home,
                task.number,
                float(is_fraud),
                "expert",
                float(truth.time[task.number]),
                kind=AnnotatorKind.PERSON,
                inclusion=task.pass_probability,  # she is asked in order to learn, not to estimate, so her draws are no weights
            )
            labels.append(label)
        home.lake.append("labels", labels)

    def _write_votes(self, home: Home, rows: pa.Table, votes: dict[str, list[str]]) -> None:
        """A signal for each vote that is new; the functions look at later hours, so one may come to an old transaction."""
        started = dict(zip(rows.column("interaction_id").to_pylist(), rows.column("seconds").to_pylist(), strict=True))
        signals = []
        for function in self.functions:
            for name in votes[function.name]:
                if (function.definition, name) not in self._voted:
                    self._voted.add((function.definition, name))
                    signals.append(_signal(home, function.name, function.definition, function.vote, name, started[name]))
        home.lake.append("signals", signals)

    def _labels(self, home: Home, rows: pa.Table, votes: dict[str, list[str]]) -> list[Label]:
        names = rows.column("interaction_id").to_pylist()
        place = {name: number for number, name in enumerate(names)}
        probability = self._probabilities(rows, place, votes)
        definitions = {function.name: function.definition for function in self.functions}
        behind: dict[str, list[str]] = {}
        for function, found in votes.items():
            for name in found:
                behind.setdefault(name, []).append(signal_id(definitions[function], name, name))
        labels = []
        for row in rows.select(["interaction_id", "request_id", "seconds", "pass_probability"]).to_pylist():
            name = row["interaction_id"]
            if name not in behind or numpy.isnan(probability[place[name]]):
                continue
            likely = round(float(probability[place[name]]), 3)
            before = self._standing.get(name)
            if before is not None and abs(before[1] - likely) < 0.05:
                continue
            label = make_label(
                home,
                _number(row["request_id"]),
                float(likely >= 0.5),
                "votes@1",
                row["seconds"],
                probability=likely,
                inclusion=row["pass_probability"],
                signals=sorted(behind[name]),
                supersedes=before[0] if before else None,
            )
            self._standing[name] = label.label_id, likely
            labels.append(label)
        return labels

    def _probabilities(self, rows: pa.Table, place: dict[str, int], votes: dict[str, list[str]]) -> Floats:
        """P(fraud) of each row that a function voted on, NaN elsewhere.

        Rows without a vote are left out of the fit too: most of them are merely young. What the expert has said and what an
        issuer has flagged is pinned, and tells how good the functions are.
        """
        known = numpy.full(len(place), -1)
        known[numpy.array(rows.column("alerted").to_pylist(), dtype=bool)] = FRAUD
        for name, said in self._answers.items():
            if name in place:
                known[place[name]] = said
        item = numpy.array([place[name] for function in self.functions for name in votes[function.name]], dtype=numpy.int64)
        who = [number for number, function in enumerate(self.functions) for _name in votes[function.name]]
        answer = [function.vote for function in self.functions for _name in votes[function.name]]
        told = numpy.unique(numpy.concatenate([item, numpy.nonzero(known >= 0)[0]]))
        likely = numpy.full(len(place), numpy.nan)
        try:
            cast = votes_from_columns(
                numpy.searchsorted(told, item), who, answer, items=len(told), annotators=len(self.functions), classes=2
            )
            likely[told] = fit_label_model(cast, truth=known[told], abstentions="informative").posterior[:, FRAUD]
        except BadInputError:  # in the first hours nobody has said enough
            return likely
        return likely

    def _ask_expert(self, home: Home, rows: pa.Table, votes: dict[str, list[str]]) -> None:
        """Draw from what no function has said anything of, by how much it looks like something new that comes in numbers."""
        voted = {name for found in votes.values() for name in found}
        everything = rows.select(["interaction_id", "request_id", "seconds", "decision", "pass_probability", *NAMES])
        visible = numpy.array(everything.column("pass_probability"), dtype=float)
        seconds = numpy.array(everything.column("seconds"))
        names = numpy.array(everything.column("interaction_id").to_pylist(), dtype=object)
        explained = numpy.array([name in voted for name in names])
        is_passed = numpy.array(everything.column("decision").to_pylist(), dtype=object) == "passed"
        # By then every function has had its time; the next look is half a day later.
        ripe = (seconds > home.at - 2 * RIPE_AFTER) & (seconds <= home.at - RIPE_AFTER)
        asked, reference = numpy.nonzero(ripe & is_passed & ~explained)[0], numpy.nonzero(explained)[0]
        if len(asked) == 0 or len(reference) < REFERENCE // 2:
            return
        matrix = numpy.column_stack([numpy.array(everything.column(name), dtype=float) for name in NAMES])
        reference = self._draw.choice(reference, min(REFERENCE, len(reference)), replace=False)
        chance = draw_probabilities(novelty(matrix[asked], matrix[reference]), BUDGET)
        taken = self._draw.random(len(asked)) < chance
        numbers = [_number(name) for name in everything.column("request_id").to_pylist()]
        draws = []
        for row, probability, is_taken in zip(asked, chance, taken, strict=True):
            draws.append(_draw_row(home, str(names[row]), float(probability), bool(is_taken), "expert"))
            if is_taken:
                self.expert.queue.append(Task(str(names[row]), numbers[row], float(visible[row]), home.at))
        home.lake.append("draws", draws)


def arrived(home: Home, since: float, until: float) -> pa.Table:
    """The transactions of a stretch of time as the lake has them: what was asked, and what the platform noted."""
    first, last = time_of(since), time_of(until)
    alerts = (
        home.lake.current("signals").filter(_.name == "outcome.issuer_alert").select("interaction_id", alerted=ibis.literal(True))
    )
    week = time_of(until - CARDS_LOOK_BACK)
    before = home.lake.current("interactions", dates=(min(first, week).date(), last.date()))
    before = before.filter(before.application == APPLICATION, before.started_at < last)
    seen = before.filter(before.started_at >= week).group_by("user_id").agg(seen_in_week=_.count())
    rows = before.filter(before.started_at >= first)
    rows = rows.left_join(alerts, "interaction_id").left_join(seen, "user_id")
    tags = {name: rows.tags[name] for name in TAGS}
    chosen = rows.select(
        "interaction_id",
        "request_id",
        "started_at",
        "prompt_text",
        card=rows.user_id,
        pass_probability=rows.tags["pass_probability"].cast("float64"),
        alerted=rows.alerted.fill_null(False),
        seen_in_week=rows.seen_in_week.fill_null(0),
        **tags,
    ).order_by("started_at", "interaction_id")
    return _with_features(chosen.to_pyarrow())


def passed(home: Home, since: float, until: float) -> pa.Table:
    """Those that went through to the issuer."""
    rows = arrived(home, since, until)
    return rows.filter(pc.equal(rows.column("decision"), "passed"))


def _with_features(rows: pa.Table) -> pa.Table:
    asked = [json.loads(text) for text in rows.column("prompt_text").to_pylist()]
    for name in NAMES:
        rows = rows.append_column(name, pa.array([one[name] for one in asked], pa.float64()))
    begins = time_of(0)
    seconds = [(at - begins) / timedelta(seconds=1) for at in rows.column("started_at").to_pylist()]
    return rows.drop(["prompt_text"]).append_column("seconds", pa.array(seconds, pa.float64()))


def _outcomes(home: Home, name: str, since: float, until: float) -> dict[str, str]:
    rows = home.lake.current("signals", dates=(time_of(since).date(), time_of(until).date())).filter(_.name == name)
    found = rows.select("interaction_id", "signal_id").to_pyarrow()
    return dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))


def _signal(home: Home, name: str, definition: str, said: int, target: str, seconds: float) -> Signal:
    return Signal(
        signal_id=signal_id(definition, target, target),
        target_kind="interaction",
        target_id=target,
        interaction_id=target,
        session_id=None,
        name=f"vote.{name}",
        kind=str(SignalKind.OUTCOME),
        value=float(said),
        occurred_at=time_of(seconds),
        known_at=time_of(home.at),
        source="function",
        definition=definition,
    )


def _draw_row(home: Home, target: str, probability: float, taken: bool, purpose: str) -> Draw:
    return Draw(
        draw_id="w_" + digest(purpose, target)[:24],
        purpose=f"{purpose}:{APPLICATION}",
        target_kind="interaction",
        target_id=target,
        interaction_id=target,
        probability=probability,
        taken=taken,
        known_at=time_of(home.at),
    )


def make_label(
    home: Home,
    number: int,
    value: float,
    annotator: str,
    seconds: float,
    *,
    kind: AnnotatorKind = AnnotatorKind.PROGRAM,
    probability: float | None = None,
    inclusion: float = 1.0,
    signals: list[str] | None = None,
    supersedes: str | None = None,
) -> Label:
    """One answer to the one question."""
    target = interaction_of(number)
    evidence = "|".join([repr(value), repr(probability), *(signals or []), supersedes or ""])
    return Label(
        label_id=label_id(SCHEMA, 1, DIMENSION, target, annotator, evidence),
        target_kind="interaction",
        target_id=target,
        interaction_id=target,
        schema=SCHEMA,
        schema_version=1,
        dimension=DIMENSION,
        value=value,
        probability=probability,
        annotator_kind=str(kind),
        annotator=annotator,
        signal_ids=signals or [],
        known_at=time_of(home.at),
        supersedes=supersedes,
        inclusion_probability=inclusion,
        started_at=time_of(seconds),
    )


def _number(request_id: str) -> int:
    return int(request_id.removeprefix("tx-"), 16)
