"""The steps of a turn on the real stores; each may be run again where the worker died, and takes effect once.

What makes that so: ids that follow from the turn's id, stores that take the same thing twice as once, and reading what stands
before doing anything. A failure becomes the turn's reason in the registry; what may pass by itself is tried again first.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from penstock.datasets.freeze import freeze_dataset
from penstock.datasets.spec import DatasetSpec
from penstock.errors import EmptySelectionError, NotFoundError, PenstockError, StorageError, UpstreamError
from penstock.evaluation.run import Evaluator, require_suite
from penstock.evaluation.suite_files import adopt_suite, freeze_held_out, own_suite_name, trusted_suite_name
from penstock.evaluation.verdict import Tolerances
from penstock.records.clock import utc_now
from penstock.records.dataset import DatasetKind, DatasetVersion
from penstock.records.evaluation import Evaluation, Suite
from penstock.records.release import Release, ReleaseState
from penstock.records.training import Checkpoint
from penstock.records.turn import Turn, TurnState
from penstock.release.canary import Flips
from penstock.release.evidence import read_evidence
from penstock.release.gate import CanaryVerdict, Decision, canary_verdict, offline_gate
from penstock.settings import ReleaseSettings
from penstock.training.register import train as train_checkpoint
from penstock.worker.refresh import Refresher
from penstock.worker.stores import Stores
from penstock.worker.turn import GO_ON
from penstock.worker.turn_plan import TurnPlan, decode_plan, release_settings, training_run_id

ENDED = "ended"  # by a person, who promoted or rolled back while the turn was watching
RETRY_PAUSES_S = (1.0, 5.0, 20.0)
REFRESH_WAIT_S = 120.0
FRESH_INTERVALS = 5.0  # of settling; while the worker's own loop refreshes more often than that, a look leaves it to it
DECIDED = frozenset({TurnState.RELEASED, TurnState.REFUSED, TurnState.ROLLED_BACK})
STATE_OF_RELEASE = {
    ReleaseState.LIVE: TurnState.RELEASED,
    ReleaseState.REFUSED: TurnState.REFUSED,
    ReleaseState.ROLLED_BACK: TurnState.ROLLED_BACK,
}

# Runs a recipe and registers the checkpoint; called as training.register.train is, with one run id per turn.
Train = Callable[..., Checkpoint]

logger = logging.getLogger(__name__)


class TurnSteps:
    """Implements the workflow's Steps."""

    def __init__(
        self,
        stores: Stores,
        refresher: Refresher,
        *,
        train: Train = train_checkpoint,
        retry_pauses_s: tuple[float, ...] = RETRY_PAUSES_S,
    ) -> None:
        self.check_interval_s = stores.settings.release.check_interval_s
        self._stores = stores
        self._settings = stores.settings
        self._registry = stores.registry
        self._refresher = refresher
        self._train_checkpoint = train
        self._retry_pauses_s = retry_pauses_s

    def collect(self, turn_id: str) -> str:
        """Settle and label everything that has arrived."""
        return self._attempt(turn_id, "collect", self._collect)

    def moment(self) -> str:
        """The time as of which the turn reads the lake."""
        return self._stores.clock.known_at().isoformat()

    def freeze(self, turn_id: str, as_of: str) -> str:
        """Freeze the dataset."""
        return self._attempt(turn_id, "freeze", lambda turn: self._freeze(turn, datetime.fromisoformat(as_of)))

    def train(self, turn_id: str) -> str:
        """Train the candidate."""
        return self._attempt(turn_id, "train", self._train)

    def evaluate(self, turn_id: str) -> str:
        """Examine the candidate beside the serving checkpoint, and let the offline gate decide."""
        return self._attempt(turn_id, "evaluate", self._evaluate)

    def start_canary(self, turn_id: str) -> str:
        """Give the candidate its share, or all of it where the plan has no canary."""
        return self._attempt(turn_id, "start_canary", self._start_canary)

    def watch(self, turn_id: str) -> str:
        """Look at the evidence; a verdict once there is one."""
        return self._attempt(turn_id, "watch", self._watch)

    def decide(self, turn_id: str, verdict: str) -> str:
        """Promote, refuse or roll back; a state in which the turn is to end for another reason stays as it is."""
        if verdict in set(TurnState):
            return verdict
        return self._attempt(turn_id, "decide", lambda turn: self._decide(turn, verdict))

    def cancel(self, turn_id: str, by: str) -> str:
        """Note who asked for the end."""
        self._registry.turns.update(turn_id, reason=f"cancelled: {by}")
        return TurnState.FAILED

    def end(self, turn_id: str, state: str) -> str:
        """Leave the route on one checkpoint and close the turn."""
        turn = self._registry.turns.get(turn_id)
        if turn.state != TurnState.RUNNING:
            return turn.state
        if state == TurnState.RELEASED:
            self._trust_suite_of(turn)
        elif turn.release_id is not None:
            self._leave_on_stable(turn, turn.release_id)
        self._registry.turns.transition(turn_id, state, ended_at=utc_now())
        return state

    def _attempt(self, turn_id: str, step: str, work: Callable[[Turn], str]) -> str:
        """Do a step; storage or a model server that fails is given time to come back."""
        turn = self._registry.turns.update(turn_id, step=step)
        if turn.state != TurnState.RUNNING:
            return turn.state
        for pause_s in (*self._retry_pauses_s, None):
            try:
                return work(turn)
            except (StorageError, UpstreamError) as error:
                if pause_s is None:
                    return self._fail(turn_id, step, error)
                logger.warning("Turn %s: %s failed and is tried again in %s s: %s", turn_id, step, pause_s, error)
                time.sleep(pause_s)
            except Exception as error:  # noqa: BLE001 - whatever goes wrong in a step is the turn's outcome, on record
                return self._fail(turn_id, step, error)
        return TurnState.FAILED

    def _fail(self, turn_id: str, step: str, error: Exception) -> str:
        known = isinstance(error, PenstockError)
        logger.error("Turn %s failed at %s: %s", turn_id, step, error, exc_info=not known)
        # Of an error that is not ours only the kind is kept: its text may hold what users wrote.
        text = f"{type(error).__name__}: {error}" if known else f"{type(error).__name__}, see the worker's log"
        self._registry.turns.update(turn_id, reason=f"{step}: {text}")
        return TurnState.FAILED

    def _refuse(self, turn: Turn, reason: str) -> str:
        self._registry.turns.update(turn.turn_id, reason=reason)
        return TurnState.REFUSED

    def _collect(self, _turn: Turn) -> str:
        deadline = time.monotonic() + REFRESH_WAIT_S
        while not self._refresher.refresh():
            if time.monotonic() >= deadline:
                raise StorageError(f"Another process has been settling for {REFRESH_WAIT_S:.0f} s; stop it, or wait for it.")
            time.sleep(0.5)
        return GO_ON

    def _freeze(self, turn: Turn, as_of: datetime) -> str:
        plan = decode_plan(turn.config)
        lake = self._stores.open_lake()
        spec = self._dataset_spec(turn, plan)
        try:
            dataset = freeze_dataset(lake, self._registry, self._stores.artifacts, spec, as_of)
            self._registry.turns.update(turn.turn_id, dataset_version_id=dataset.dataset_version_id)
            if plan.held_out:
                events = dataset
                if plan.kind not in (DatasetKind.EVENTS, DatasetKind.TABULAR):
                    held_out = msgspec.structs.replace(spec, kind=DatasetKind.EVENTS, name=f"{spec.name}/held-out")
                    events = freeze_dataset(lake, self._registry, self._stores.artifacts, held_out, as_of)
                self._freeze_own_suite(turn, plan, events, as_of)
        except EmptySelectionError as error:
            return self._refuse(turn, str(error))
        if dataset.train_rows < plan.min_rows:
            return self._refuse(turn, f"{dataset.train_rows} rows to train on, at least {plan.min_rows} are wanted")
        return GO_ON

    def _dataset_spec(self, turn: Turn, plan: TurnPlan) -> DatasetSpec:
        return DatasetSpec(
            name=plan.route,
            kind=plan.kind,
            application=plan.application,
            checkpoint_id=self._serving(turn.route).checkpoint_id if plan.only_stable else None,
            exposures=tuple(self._settings.traffic.exposures),
            since=plan.since or self._end_of_data_before(turn),
            until=plan.until,
            limit=plan.limit,
            schema=plan.schema,
            dimension=plan.dimension,
            test_share=self._settings.dataset.test_share,
        )

    def _end_of_data_before(self, turn: Turn) -> datetime | None:
        """Until when the last turn that came to a decision had read; one that failed leaves its data to the next."""
        earlier = [other for other in self._registry.turns.list(turn.route) if other.number < turn.number]
        for other in reversed(earlier):
            if other.state in DECIDED and other.dataset_version_id is not None:
                return self._registry.datasets.get(other.dataset_version_id).known_at
        return None

    def _freeze_own_suite(self, turn: Turn, plan: TurnPlan, events: DatasetVersion, at: datetime) -> None:
        """What examines this turn if the route has no trusted suite yet, and the next one if this turn is released."""
        name = own_suite_name(turn.route, turn.turn_id)
        try:
            with self._stores.open_lake().writing():
                freeze_held_out(
                    self._registry, self._stores.artifacts, name, events, at, plan.held_out_items, plan.held_out_since
                )
        except EmptySelectionError:
            if not plan.canary or self._registry.suites.latest(trusted_suite_name(turn.route)) is None:
                raise

    def _train(self, turn: Turn) -> str:
        plan = decode_plan(turn.config)
        rehearsal = self._registry.datasets.get(plan.rehearsal_dataset) if plan.rehearsal_dataset else None
        run_id = training_run_id(turn.turn_id)
        checkpoint = self._train_checkpoint(
            self._registry,
            self._settings,
            self._stores.artifacts,
            run_id=run_id,
            recipe=plan.recipe,
            dataset=self._registry.datasets.get(_known(turn.dataset_version_id, turn)),
            parent=self._serving(turn.route),
            overrides=plan.recipe_config,
            rehearsal=rehearsal,
            seed=plan.seed,
            name=f"{turn.route}-{turn.number}",
        )
        self._registry.turns.update(turn.turn_id, training_run_id=run_id, checkpoint_id=checkpoint.checkpoint_id)
        return GO_ON

    def _evaluate(self, turn: Turn) -> str:
        plan = decode_plan(turn.config)
        candidate, stable = self._registry.checkpoints.get(_known(turn.checkpoint_id, turn)), self._serving(turn.route)
        flips = self._flips(plan)
        release = flips.propose(turn.route, candidate.checkpoint_id, turn_id=turn.turn_id)
        self._registry.turns.update(turn.turn_id, release_id=release.release_id)
        if candidate.checkpoint_id == stable.checkpoint_id:
            reason = "training changed nothing: the candidate is the checkpoint that serves"
            flips.refuse(release.release_id, reason, {})
            return self._refuse(turn, reason)
        evaluations = self._examine(turn, plan, candidate, stable)
        own = None if plan.canary else self._own_suite(turn).suite_id
        verdict = offline_gate(evaluations, must_gain_on=own)
        if verdict.passed:
            return GO_ON
        reason = "; ".join(verdict.reasons)
        flips.refuse(release.release_id, reason, {"evaluations": [one.evaluation_id for one in evaluations]})
        return self._refuse(turn, reason)

    def _examine(self, turn: Turn, plan: TurnPlan, candidate: Checkpoint, stable: Checkpoint) -> list[Evaluation]:
        tolerances = Tolerances(
            held_out_margin=plan.held_out_margin,
            exact_match=plan.regression_tolerance,
            detection=plan.detection_margin,
            false_positive_rate=plan.false_positive_rate,
        )
        evaluator = Evaluator(self._stores.open_lake(), self._registry, self._stores.artifacts, self._settings)
        at = self._stores.clock.known_at()
        return [evaluator.evaluate(suite, candidate, stable, tolerances, at) for suite in self._suites(turn, plan)]

    def _suites(self, turn: Turn, plan: TurnPlan) -> list[Suite]:
        """The route's trusted held-out suite, else the turn's own, and every regression suite of the plan.

        Without a canary both: the trusted one to lose nothing, the turn's own to be better than production on what is new.
        """
        suites = [require_suite(self._registry, name) for name in plan.regression_suites]
        if plan.held_out:
            trusted = self._registry.suites.latest(trusted_suite_name(turn.route))
            if trusted is None or not plan.canary:
                suites.insert(0, self._own_suite(turn))
            if trusted is not None:
                suites.insert(0, trusted)
        return suites

    def _own_suite(self, turn: Turn) -> Suite:
        return require_suite(self._registry, own_suite_name(turn.route, turn.turn_id))

    def _start_canary(self, turn: Turn) -> str:
        plan, release_id = decode_plan(turn.config), _known(turn.release_id, turn)
        if plan.canary:
            self._flips(plan).start(release_id)
        else:
            self._flips(plan).promote(release_id, "better than production on held-out rows, pair by pair", {})
        return GO_ON

    def _watch(self, turn: Turn) -> str:
        release = self._registry.releases.get(_known(turn.release_id, turn))
        if release.state != ReleaseState.CANARY:
            return ENDED
        rule = release_settings(decode_plan(turn.config), self._settings.release)
        try:
            verdict = self._look(release, rule)
        except StorageError as error:
            # An outage is no verdict on the candidate; but nobody is to stay in a canary that cannot be watched for ever.
            if release.canary_at is None or utc_now() - release.canary_at > timedelta(seconds=rule.max_canary_s):
                raise
            logger.warning("Turn %s: the evidence cannot be read now: %s", turn.turn_id, error)
            return GO_ON
        return GO_ON if verdict.decision == Decision.CONTINUE else msgspec.json.encode(verdict).decode()

    def _look(self, release: Release, rule: ReleaseSettings) -> CanaryVerdict:
        """The verdict on what is known now; the running p-value is kept with the release."""
        if not self._refresher.is_fresh(FRESH_INTERVALS * self._settings.ingest.settle_interval_s):
            self._refresher.refresh()
        # A lake of its own: a look that waited for the refresh under way would come late, and a bad candidate stay longer.
        lake = self._stores.open_lake()
        seen = read_evidence(lake, release, self._settings.traffic.exposures, self._stores.clock.known_at())
        verdict = canary_verdict(seen, rule)
        if verdict.p_value != release.p_value:
            with self._registry.transaction():
                self._registry.releases.update(release.release_id, p_value=verdict.p_value)
                self._registry.releases.note(release.release_id, at=utc_now(), evidence=msgspec.to_builtins(verdict))
        return verdict

    def _decide(self, turn: Turn, text: str) -> str:
        flips, release_id = self._flips(decode_plan(turn.config)), _known(turn.release_id, turn)
        release = self._registry.releases.get(release_id)
        if text != ENDED and release.state == ReleaseState.CANARY:
            verdict = msgspec.json.decode(text, type=CanaryVerdict)
            moves = {Decision.PROMOTE: flips.promote, Decision.ROLL_BACK: flips.roll_back}
            release = moves.get(verdict.decision, flips.refuse)(release_id, verdict.reason, msgspec.to_builtins(verdict))
        elif release.state in STATE_OF_RELEASE and release.applied_at is None:
            release = flips.confirm(release_id)
        self._registry.turns.update(turn.turn_id, reason=release.reason)
        return STATE_OF_RELEASE[ReleaseState(release.state)]

    def _leave_on_stable(self, turn: Turn, release_id: str) -> None:
        flips, release = self._flips(decode_plan(turn.config)), self._registry.releases.get(release_id)
        reason = turn.reason or "the turn ended"
        if release.state == ReleaseState.PROPOSED:
            flips.refuse(release_id, reason, {})
        elif release.state == ReleaseState.CANARY:
            flips.roll_back(release_id, reason)

    def _trust_suite_of(self, turn: Turn) -> None:
        own = self._registry.suites.latest(own_suite_name(turn.route, turn.turn_id))
        if own is not None:
            with self._stores.open_lake().writing():
                adopt_suite(self._registry, self._stores.artifacts, trusted_suite_name(turn.route), own, utc_now())

    def _serving(self, route: str) -> Checkpoint:
        found = self._registry.routes.get(route)
        if found is None:
            raise NotFoundError(f"There is no route {route!r}; `penstock release set-stable {route} CHECKPOINT` makes one.")
        return self._registry.checkpoints.get(found.stable_checkpoint_id)

    def _flips(self, plan: TurnPlan) -> Flips:
        return Flips(self._registry, release_settings(plan, self._settings.release))


def _known(value: str | None, turn: Turn) -> str:
    if value is None:
        raise NotFoundError(f"Turn {turn.turn_id!r} has not reached what its step {turn.step!r} needs.")
    return value
