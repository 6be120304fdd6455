"""What a turn does, step by step, on the registry, the lake and the artifacts. Every step may be run again after a crash.

Ids are derived from the turn's, and results are looked up before they are made, so that a repeated step finds what is there.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from penstock.config import Settings
from penstock.datasets.freeze import freeze_dataset
from penstock.datasets.spec import DatasetSpec
from penstock.errors import ConflictError, EmptySelectionError
from penstock.evaluation.run import Evaluator, require_suite
from penstock.evaluation.suite_files import freeze_held_out, own_suite_name, trusted_suite_name
from penstock.evaluation.verdict import Tolerances
from penstock.records.clock import WriterClock
from penstock.records.dataset import DatasetKind, DatasetVersion
from penstock.records.evaluation import Evaluation, Suite
from penstock.records.ids import digest
from penstock.records.release import ReleaseState, Route
from penstock.records.turn import Turn, TurnState
from penstock.registry.registry import Registry
from penstock.release.canary import Flips
from penstock.release.evidence import read_evidence
from penstock.release.gate import Decision, canary_verdict, offline_gate
from penstock.training.register import train
from penstock.worker.refresh import Refresher
from penstock.worker.turn_plan import TurnPlan, decode_plan

_ENDED = {
    Decision.PROMOTE: TurnState.RELEASED,
    Decision.ROLL_BACK: TurnState.ROLLED_BACK,
    Decision.INVALID: TurnState.REFUSED,
    Decision.REFUSE: TurnState.REFUSED,
}


class TurnSteps:
    """The steps of turns in one worker."""

    def __init__(self, registry: Registry, refresher: Refresher, settings: Settings, artifacts: Path, clock: WriterClock) -> None:
        self.check_interval_s = settings.release.check_interval_s
        self._registry = registry
        self._refresher = refresher
        self._settings = settings
        self._artifacts = artifacts
        self._clock = clock
        self._flips = Flips(registry, settings.release)

    def collect(self, turn_id: str) -> None:
        """Settle and label everything that has arrived."""
        self._registry.turns.update(turn_id, step="collect")
        self._refresher.refresh()

    def freeze(self, turn_id: str) -> str:
        """Freeze the turn's dataset as of now."""
        turn, plan, route = self._begin(turn_id, "freeze")
        if turn.dataset_version_id is not None:
            return turn.dataset_version_id
        known_at = self._clock.known_at()
        spec = DatasetSpec(
            name=f"{plan.route}/{plan.kind}",
            kind=plan.kind,
            application=plan.application,
            checkpoint_id=route.stable_checkpoint_id if plan.only_stable else None,
            exposures=tuple(self._settings.traffic.exposures),
            since=plan.since or self._end_of_data_before(turn),
            until=plan.until,
            limit=plan.limit,
            test_share=self._settings.dataset.test_share,
        )
        with self._refresher.lock:
            dataset = freeze_dataset(self._refresher.lake, self._registry, self._artifacts, spec, known_at)
        self._registry.turns.update(turn_id, dataset_version_id=dataset.dataset_version_id)
        return dataset.dataset_version_id

    def train(self, turn_id: str) -> str:
        """Train the candidate from the serving checkpoint."""
        turn, plan, route = self._begin(turn_id, "train")
        if turn.checkpoint_id is not None:
            return turn.checkpoint_id
        run_id = "run_" + digest(turn_id)[:16]
        datasets = self._registry.datasets
        checkpoint = train(
            self._registry,
            self._settings,
            self._artifacts,
            run_id=run_id,
            recipe=plan.recipe,
            dataset=self._dataset(turn),
            parent=self._registry.checkpoints.get(route.stable_checkpoint_id),
            rehearsal=datasets.get(plan.rehearsal_dataset) if plan.rehearsal_dataset else None,
            overrides=dict(plan.recipe_config),
            seed=plan.seed,
            name=f"{plan.route}/{turn.number}",
        )
        self._registry.turns.update(turn_id, training_run_id=run_id, checkpoint_id=checkpoint.checkpoint_id)
        return checkpoint.checkpoint_id

    def evaluate(self, turn_id: str) -> str:
        """Score the candidate on the trusted suite and the regression suites; `passed`, or every reason why not."""
        turn, plan, route = self._begin(turn_id, "evaluate")
        checkpoints = self._registry.checkpoints
        candidate, stable = checkpoints.get(_known(turn.checkpoint_id)), checkpoints.get(route.stable_checkpoint_id)
        if candidate.checkpoint_id == stable.checkpoint_id:
            return "training changed nothing: the candidate is the serving checkpoint"
        evaluations: list[Evaluation] = []
        with self._refresher.lock:
            evaluator = Evaluator(self._refresher.lake, self._registry, self._artifacts, self._settings)
            for suite in self._suites(turn, plan):
                evaluations.append(evaluator.evaluate(suite, candidate, stable, Tolerances(), self._clock.known_at()))
        verdict = offline_gate(evaluations)
        return "passed" if verdict.passed else "; ".join(verdict.reasons)

    def refuse(self, turn_id: str, reason: str) -> None:
        """End the turn before any user met the candidate."""
        turn, plan, _ = self._begin(turn_id, "refuse")
        release_id = turn.release_id
        if _known(turn.checkpoint_id) != self._route(plan.route).stable_checkpoint_id:
            release = self._flips.propose(plan.route, _known(turn.checkpoint_id), turn_id=turn_id)
            release_id = release.release_id
            if release.state == ReleaseState.PROPOSED:
                self._flips.refuse(release_id, reason, {"gate": "offline"})
        self._end(turn_id, TurnState.REFUSED, reason, release_id=release_id)

    def start_canary(self, turn_id: str) -> str:
        """Give the candidate its share of the users."""
        turn, plan, _ = self._begin(turn_id, "canary")
        release = self._flips.propose(plan.route, _known(turn.checkpoint_id), turn_id=turn_id)
        self._registry.turns.update(turn_id, release_id=release.release_id)
        self._flips.start(release.release_id)
        return release.release_id

    def watch(self, turn_id: str) -> str:
        """Read the evidence for the canary, remember its p-value, and judge."""
        release_id = _known(self._registry.turns.get(turn_id).release_id)
        release = self._registry.releases.get(release_id)
        if release.state != ReleaseState.CANARY:
            return {
                ReleaseState.LIVE: Decision.PROMOTE,
                ReleaseState.ROLLED_BACK: Decision.ROLL_BACK,
            }.get(ReleaseState(release.state), Decision.REFUSE).value
        self._refresher.refresh()
        with self._refresher.lock:
            evidence = read_evidence(self._refresher.lake, release, self._settings.traffic.exposures, self._clock.known_at())
        verdict = canary_verdict(evidence, self._settings.release)
        self._registry.releases.update(release_id, p_value=verdict.p_value)
        if verdict.decision != Decision.CONTINUE:
            self._registry.releases.note(release_id, at=self._clock.known_at(), evidence=msgspec.to_builtins(verdict))
        return verdict.decision.value

    def decide(self, turn_id: str, decision: str) -> None:
        """Promote, refuse or roll back, and end the turn."""
        turn, plan, _ = self._begin(turn_id, "decide")
        release_id, chosen = _known(turn.release_id), Decision(decision)
        reason = self._reason(release_id)
        if chosen == Decision.PROMOTE:
            self._flips.promote(release_id, reason, {})
            if plan.kind == DatasetKind.EVENTS:
                self._trust(plan.route, self._dataset(turn))
        elif chosen == Decision.ROLL_BACK:
            self._flips.roll_back(release_id, reason)
        else:
            self._flips.refuse(release_id, reason, {})
        self._end(turn_id, _ENDED[chosen], reason)

    def fail(self, turn_id: str, reason: str) -> None:
        """End the turn with a failure, the serving checkpoint answering everyone."""
        turn = self._registry.turns.get(turn_id)
        if turn.release_id is not None:
            release = self._registry.releases.get(turn.release_id)
            if release.state == ReleaseState.CANARY:
                self._flips.roll_back(release.release_id, f"the turn failed: {reason}")
        self._end(turn_id, TurnState.FAILED, reason)

    def _begin(self, turn_id: str, step: str) -> tuple[Turn, TurnPlan, Route]:
        turn = self._registry.turns.update(turn_id, step=step)
        plan = decode_plan(turn.config)
        return turn, plan, self._route(plan.route)

    def _route(self, name: str) -> Route:
        route = self._registry.routes.get(name)
        if route is None:
            raise ConflictError(f"The route {name!r} has gone while a turn of it was under way.")
        return route

    def _dataset(self, turn: Turn) -> DatasetVersion:
        return self._registry.datasets.get(_known(turn.dataset_version_id))

    def _end_of_data_before(self, turn: Turn) -> datetime | None:
        """When the data of the turn before was read; what is newer is this turn's."""
        before = [one for one in self._registry.turns.list(turn.route) if one.number < turn.number and one.dataset_version_id]
        return self._registry.datasets.get(_known(before[-1].dataset_version_id)).known_at if before else None

    def _suites(self, turn: Turn, plan: TurnPlan) -> Sequence[Suite]:
        suites = [require_suite(self._registry, name) for name in plan.regression_suites]
        if plan.kind != DatasetKind.EVENTS:
            return suites
        trusted = self._registry.suites.latest(trusted_suite_name(plan.route))
        if trusted is None:
            name = own_suite_name(plan.route, turn.turn_id)
            trusted = freeze_held_out(self._registry, self._artifacts, name, self._dataset(turn), self._clock.known_at())
        return [trusted, *suites]

    def _trust(self, route: str, dataset: DatasetVersion) -> None:
        """The test split of a released turn becomes the judge of the next."""
        try:
            freeze_held_out(self._registry, self._artifacts, trusted_suite_name(route), dataset, self._clock.known_at())
        except EmptySelectionError:
            return  # without log-probabilities the next turn is judged on its own split again

    def _reason(self, release_id: str) -> str:
        """The reason that the verdict gave."""
        for event in reversed(self._registry.releases.events(release_id)):
            reason = msgspec.json.decode(event.evidence).get("reason")
            if reason:
                return str(reason)
        return "decided"

    def _end(self, turn_id: str, state: TurnState, reason: str, **fields: str | None) -> None:
        if self._registry.turns.get(turn_id).state == TurnState.RUNNING:
            at = self._clock.known_at()
            self._registry.turns.transition(turn_id, state, step="ended", reason=reason, ended_at=at, **fields)


def _known(identifier: str | None) -> str:
    if identifier is None:
        raise ConflictError("A step of the turn ran before the one that it needs.")
    return identifier
