"""One arm of the comparison: its world, its home, its labels, and a turn of the wheel every other day.

The order of things is that of production: a transaction is scored by the checkpoint that serves, blocked or passed, put through
the door; outcomes follow when they follow; labels are what is known by then; a turn freezes, trains, proves and releases.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy
from examples.card_testing.attackers import ENUMERATION, PATTERNS, Attackers, patterns_appeared
from examples.card_testing.features import FeaturePlatform
from examples.card_testing.home import APPLICATION, DIMENSION, ROUTE, SCHEMA, Answers, Home, interaction_of, score, time_of
from examples.card_testing.labelling import MATURE_AFTER, Labeller, OracleLabels, SettledLabels, Truth, WeakLabels, make_label
from examples.card_testing.transactions import DAY, HOUR, Transactions, join
from examples.card_testing.world import World
from msgspec import Struct

from penstock.datasets.freeze import freeze_dataset
from penstock.datasets.spec import DatasetSpec
from penstock.records.draw import Draw
from penstock.records.ids import digest
from penstock.records.turn import Turn, TurnState
from penstock.statistics.boosted_trees import BoostedTrees
from penstock.training.register import train
from penstock.worker.turn import GO_ON
from penstock.worker.turn_plan import TurnPlan, encode_plan
from penstock.worker.turn_steps import TurnSteps

Arm = Literal["week", "hours", "oracle"]
ARMS: tuple[Arm, ...] = ("week", "hours", "oracle")
STEP = 6 * HOUR
LABELLED_EVERY: dict[Arm, float] = {"week": DAY, "hours": 12 * HOUR, "oracle": DAY}
PASS_THROUGH = 0.2  # of what would be blocked is passed by lot, so that something is learnt of it
HONEST_DECLINED, VERIFICATION_DECLINED, ENUMERATION_DECLINED = 0.04, 0.5, 0.8
ALERTED, ALERTED_WRONGLY = 0.45, 0.0005  # share of approved frauds that an issuer flags within hours, and of honest ones
DISPUTED = 0.99  # share of frauds that went through that somebody has reported within a week


class Scenario(Struct, frozen=True, kw_only=True):
    """How large and how long; everything else is in the files of the world, the attackers and the functions."""

    seed: int = 0
    days: int = 28
    daily: int = 2_000  # honest transactions
    attacks: int = 300  # attempts of all attackers, a day
    warm_up_days: int = 4  # of which everything is known when the first model is trained
    turn_days: int = 2
    proof_days: int = 4  # whose held-out cards a candidate is proved on
    window_days: int = 28  # that a model is trained on: all of them, since old patterns come back
    test_share: float = 0.5  # of cards, kept for the gate
    false_positive_rate: float = 0.01
    detection_margin: float = 0.1
    rounds: int = 60


class TurnResult(Struct, frozen=True, kw_only=True):
    """How one turn ended."""

    number: int
    day: float
    state: str
    reason: str
    functions: int  # in use, the expert's with them


class ArmResult(Struct, frozen=True, kw_only=True):
    """What one arm leaves behind; its figures are read from its lake."""

    arm: str
    seed: int
    home: str
    turns: list[TurnResult]
    expert_answers: int
    findings: list[str]


class Refresh:
    """What a turn's first step asks for: here, that the clock's time is settled."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def refresh(self) -> bool:
        """Settle what has arrived."""
        self._home.settle()
        return True

    def is_fresh(self, _max_age_s: float) -> bool:
        """Nothing arrives while a turn runs."""
        return True


@dataclass
class Outcomes:
    """What issuers and card holders will say, and when."""

    name: str
    numbers: list[int]
    times: list[float]

    def due(self, now: float) -> tuple[list[int], list[float]]:
        """What they have said by now, once."""
        said = [(number, at) for number, at in zip(self.numbers, self.times, strict=True) if at <= now]
        rest = [(number, at) for number, at in zip(self.numbers, self.times, strict=True) if at > now]
        self.numbers, self.times = [one[0] for one in rest], [one[1] for one in rest]
        return [one[0] for one in said], [one[1] for one in said]


class ArmRun:
    """Runs one arm from the first day to the last."""

    def __init__(self, arm: Arm, scenario: Scenario, folder: Path) -> None:
        self._arm, self._scenario = arm, scenario
        self._world = World(scenario.seed, scenario.daily)
        self._attackers = Attackers(self._world, scenario.attacks)
        self._platform = FeaturePlatform(self._world)
        self._home = Home(folder, scenario.seed, test_share=scenario.test_share, threads=1)
        self._truth = Truth()
        self._alerts, self._disputes = Outcomes("issuer_alert", [], []), Outcomes("dispute", [], [])
        self._labeller: Labeller | None = None
        self._turns: list[TurnResult] = []
        self._first: tuple[str, BoostedTrees] | None = None  # the scorer that served first, for comparison

    def run(self, on_day: Callable[[float], None] = lambda _day: None) -> ArmResult:
        """The whole stream, and then the truth, for the reckoning."""
        scenario, warm_up = self._scenario, self._scenario.warm_up_days * DAY
        for at in numpy.arange(0, scenario.days * DAY, STEP):
            if at >= warm_up and (at - warm_up) % (scenario.turn_days * DAY) == 0:
                self._begin() if at == warm_up else self._turn(at)
            self._step(float(at))
            if (at + STEP) % LABELLED_EVERY[self._arm] == 0:
                self._label(float(at + STEP))
            on_day((at + STEP) / DAY)
        self._reckon()
        expert = self._labeller.expert if isinstance(self._labeller, WeakLabels) else None
        result = ArmResult(
            arm=self._arm,
            seed=scenario.seed,
            home=str(self._home.penstock.home),
            turns=self._turns,
            expert_answers=self._labeller.answered if isinstance(self._labeller, WeakLabels) else 0,
            findings=[one.name for one in expert.findings] if expert else [],
        )
        self._home.close()
        return result

    def _reckon(self) -> None:
        """Tell the truth when all is over: what was fraud, and what of it used the pattern that was the newest then."""
        truth = self._truth
        frauds = numpy.nonzero(truth.pattern >= 0)[0]
        newest = frauds[
            [pattern in patterns_appeared(at)[-1] for pattern, at in zip(truth.pattern[frauds], truth.time[frauds], strict=True)]
        ]
        for name, numbers in (("fraud", frauds), ("newest_pattern", newest)):
            self._home.report(name, numbers.tolist(), truth.time[numbers].tolist(), "reckoning")
        self._home.settle()

    def _step(self, at: float) -> None:
        """Six hours of transactions, each scored and decided on when it comes."""
        home = self._home
        attempts, honest = self._attackers.step(at, STEP), self._world.step(at, STEP)
        arriving = honest if attempts is None else join([honest, attempts])
        first = len(self._truth.time)
        arriving = Transactions(**{**arriving.__dict__, "number": first + numpy.arange(len(arriving))})
        features = numpy.round(self._platform.describe(arriving), 4)
        scorer = home.serving()
        self._first = self._first or scorer
        answers = self._decide(arriving, score(scorer, features), scorer[1].threshold if scorer else 1.0, at)
        answers = msgspec.structs.replace(
            answers,
            first_score=score(self._first, features),
            checkpoint_id=scorer[0] if scorer else None,
            period=len(self._turns),
        )
        self._truth.add(arriving.pattern, arriving.time)
        self._foresee(arriving, answers, at)
        home.at = at + STEP
        home.send(arriving, features, answers)
        self._note_draws(arriving, answers)

    def _decide(self, arriving: Transactions, scores: Any, threshold: float, at: float) -> Answers:
        """Block what scores above the threshold, but for what is passed by lot; then the issuer answers."""
        draw = numpy.random.default_rng([self._scenario.seed, 8, int(at)])
        flagged = scores > threshold
        passed = ~flagged | (draw.random(len(arriving)) < PASS_THROUGH)
        forms = numpy.array([ENUMERATION_DECLINED if one.form == ENUMERATION else VERIFICATION_DECLINED for one in PATTERNS])
        declined = numpy.where(arriving.fraud, forms[numpy.maximum(arriving.pattern, 0)], HONEST_DECLINED)
        return Answers(
            score=scores,
            first_score=scores,
            flagged=flagged,
            passed=passed,
            pass_probability=numpy.where(flagged, PASS_THROUGH, 1.0),
            approved=passed & (draw.random(len(arriving)) >= declined),
            checkpoint_id=None,
            period=0,
        )

    def _foresee(self, arriving: Transactions, answers: Answers, at: float) -> None:
        """Who will complain of what went through, and when."""
        draw = numpy.random.default_rng([self._scenario.seed, 9, int(at)])
        chance = numpy.where(arriving.fraud, ALERTED, ALERTED_WRONGLY)
        alerted = answers.approved & (draw.random(len(arriving)) < chance)
        disputed = answers.passed & arriving.fraud & (draw.random(len(arriving)) < DISPUTED)
        for found, who, soonest, latest in ((self._alerts, alerted, 1.0, 14.0), (self._disputes, disputed, 20.0, 160.0)):
            rows = numpy.nonzero(who)[0]
            found.numbers += arriving.number[rows].tolist()
            found.times += (arriving.time[rows] + draw.uniform(soonest, latest, len(rows)) * HOUR).tolist()

    def _note_draws(self, arriving: Transactions, answers: Answers) -> None:
        """Every lot that was drawn over a transaction that would have been blocked."""
        draws = [
            Draw(
                draw_id="w_" + digest("pass-through", str(number))[:24],
                purpose=f"pass-through:{APPLICATION}",
                target_kind="interaction",
                target_id=interaction_of(number),
                interaction_id=interaction_of(number),
                probability=PASS_THROUGH,
                taken=bool(answers.passed[row]),
                known_at=time_of(self._home.at),
            )
            for row, number in ((row, int(arriving.number[row])) for row in numpy.nonzero(answers.flagged)[0])
        ]
        self._home.lake.append("draws", draws)

    def _label(self, at: float) -> None:
        home = self._home
        home.at = at
        listens_to = {"week": (self._disputes,), "hours": (self._alerts,), "oracle": ()}[self._arm]
        for outcomes in listens_to:
            home.report(outcomes.name, *outcomes.due(at), "issuers")
        home.settle()
        if self._labeller is not None:
            self._labeller.run(home, self._truth)

    def _begin(self) -> None:
        """The first model, from days so long past that all of their transactions are known for what they were."""
        home, scenario, penstock = self._home, self._scenario, self._home.penstock
        known = range(len(self._truth.time))
        labels = [
            make_label(home, one, float(self._truth.pattern[one] >= 0), "history@1", float(self._truth.time[one]))
            for one in known
        ]
        home.lake.append("labels", labels)
        spec = DatasetSpec(
            name=ROUTE,
            kind="tabular",
            exposures=("simulated",),
            schema=SCHEMA,
            dimension=DIMENSION,
            test_share=scenario.test_share,
        )
        dataset = freeze_dataset(home.lake, penstock.registry, penstock.artifacts, spec, penstock.clock.known_at())
        first = train(
            penstock.registry,
            penstock.settings,
            penstock.artifacts,
            run_id="run_first",
            recipe="classifier",
            dataset=dataset,
            parent=None,
            overrides=self._recipe(),
            seed=scenario.seed,
            name=f"{ROUTE}-0",
        )
        penstock.registry.routes.set_stable(ROUTE, first.checkpoint_id, penstock.clock.known_at())
        since = scenario.warm_up_days * DAY
        self._labeller = {
            "oracle": lambda: OracleLabels(len(known)),
            "week": lambda: SettledLabels(since),
            "hours": lambda: WeakLabels(scenario.seed, since),
        }[self._arm]()

    def _recipe(self) -> dict[str, Any]:
        return {"rounds": self._scenario.rounds, "leaves": 12, "false_positive_rate": self._scenario.false_positive_rate}

    def _turn(self, at: float) -> None:
        """One turn of the wheel, with the steps that the worker runs."""
        home, scenario = self._home, self._scenario
        home.at = at
        number = len(self._turns) + 1
        horizon = at - (MATURE_AFTER if self._arm == "week" else 0.0)  # until when there are labels
        plan = TurnPlan(
            route=ROUTE,
            recipe="classifier",
            kind="tabular",
            application=APPLICATION,
            since=time_of(max(0.0, horizon - scenario.window_days * DAY)),
            only_stable=False,
            recipe_config=self._recipe(),
            held_out_items=50_000,
            held_out_since=time_of(max(0.0, horizon - scenario.proof_days * DAY)),
            schema=SCHEMA,
            dimension=DIMENSION,
            false_positive_rate=scenario.false_positive_rate,
            detection_margin=scenario.detection_margin,
            canary=False,
            release={"apply_timeout_s": 0.0},
            seed=scenario.seed,
        )
        turn_id = "t_" + digest(ROUTE, str(number))[:16]
        registry = home.penstock.registry
        registry.turns.create(
            Turn(
                turn_id=turn_id,
                number=0,
                route=ROUTE,
                state=TurnState.RUNNING,
                step="queued",
                config=encode_plan(plan),
                started_at=home.penstock.clock.known_at(),
            )
        )
        run_turn(TurnSteps(home.penstock, Refresh(home)), turn_id)  # type: ignore[arg-type]  # as much of a refresher as is asked of
        turn = registry.turns.get(turn_id)
        functions = len(self._labeller.functions) if isinstance(self._labeller, WeakLabels) else 0
        self._turns.append(
            TurnResult(number=number, day=float(at / DAY), state=turn.state, reason=turn.reason or "", functions=functions)
        )


def run_turn(steps: TurnSteps, turn_id: str) -> str:
    """What the worker's workflow does with a turn, without the workflow."""
    state = steps.collect(turn_id)
    as_of = steps.moment()
    for step in (lambda: steps.freeze(turn_id, as_of), *(lambda step=step: step(turn_id) for step in _proving(steps))):
        if state != GO_ON:
            break
        state = step()
    if state == GO_ON:
        while (verdict := steps.watch(turn_id)) == GO_ON:
            pass
        state = steps.decide(turn_id, verdict)
    return steps.end(turn_id, state)


def _proving(steps: TurnSteps) -> tuple[Callable[[str], str], ...]:
    return steps.train, steps.evaluate, steps.start_canary


def run_arm(arm: Arm, scenario: Scenario, folder: Path, on_day: Callable[[float], None] = lambda _day: None) -> ArmResult:
    """One arm in a home of its own."""
    return ArmRun(arm, scenario, folder).run(on_day)
