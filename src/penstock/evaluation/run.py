"""Running an evaluation: starts the process, records the score in the registry and every item's part in the lake.

The id follows from suite, checkpoints and rule, so that asking twice is one evaluation, also after a crash in between.
"""

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import msgspec

from penstock.errors import ConfigurationError, NotFoundError, StorageError, UpstreamError
from penstock.evaluation.process import EvaluationJob, ModelAddress
from penstock.evaluation.suite_files import SuiteKind
from penstock.evaluation.verdict import Judged, Tolerances
from penstock.lake.lake import Lake
from penstock.records.evaluation import Evaluation, EvaluationItem, Suite
from penstock.records.ids import EvaluationId, digest
from penstock.records.training import Checkpoint
from penstock.registry.registry import Registry
from penstock.settings import Settings

LOCAL = "local"
MOST_SECONDS = 3_600.0
_LOG_TAIL = 2_000


class Evaluator:
    """Examines checkpoints on suites."""

    def __init__(self, lake: Lake, registry: Registry, artifacts: Path, settings: Settings) -> None:
        self._lake = lake
        self._registry = registry
        self._artifacts = artifacts
        self._settings = settings

    def evaluate(
        self, suite: Suite, checkpoint: Checkpoint, baseline: Checkpoint, tolerances: Tolerances, at: datetime
    ) -> Evaluation:
        """Examine a checkpoint beside the one in production, or give what was found before. Raises UpstreamError."""
        evaluation_id = name_evaluation(suite, checkpoint, baseline, tolerances)
        found = self._find(checkpoint.checkpoint_id, evaluation_id)
        if found is not None:
            return found
        judged = self._judge(evaluation_id, suite, checkpoint, baseline, tolerances)
        items = [_item(evaluation_id, one, at) for one in judged.items]
        self._lake.append("evaluation_items", items, transactions={f"evaluation:{evaluation_id}": 1})
        return self._registry.evaluations.put(_evaluation(evaluation_id, suite, checkpoint, baseline, judged, at))

    def _judge(
        self,
        evaluation_id: str,
        suite: Suite,
        checkpoint: Checkpoint,
        baseline: Checkpoint,
        tolerances: Tolerances,
    ) -> Judged:
        """What the process finds; a result that an earlier attempt left is taken as it is."""
        folder = self._artifacts / "evaluations" / evaluation_id
        result = folder / "result.json"
        job = EvaluationJob(
            suite_kind=suite.kind,
            suite_folder=suite.uri,
            candidate=address_for(suite, self._settings, checkpoint),
            baseline=address_for(suite, self._settings, baseline),
            tolerances=tolerances,
            result=str(result),
            connect_timeout_s=self._settings.gateway.connect_timeout_s,
            idle_timeout_s=self._settings.gateway.idle_timeout_s,
        )
        if not result.exists():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "job.json").write_bytes(msgspec.json.encode(job))
            _run(folder)
        try:
            return msgspec.json.decode(result.read_bytes(), type=Judged)
        except (OSError, msgspec.DecodeError) as error:
            raise StorageError(f"The evaluation {evaluation_id!r} left no readable {result}: {error}.") from error

    def _find(self, checkpoint_id: str, evaluation_id: str) -> Evaluation | None:
        done = self._registry.evaluations.list(checkpoint_id)
        return next((one for one in done if one.evaluation_id == evaluation_id), None)


def require_suite(registry: Registry, name: str) -> Suite:
    """The newest suite of this name. Raises NotFoundError."""
    suite = registry.suites.latest(name)
    if suite is None:
        known = ", ".join(sorted({one.name for one in registry.suites.list()})) or "none"
        raise NotFoundError(f"There is no suite {name!r}; there are: {known}.")
    return suite


def name_evaluation(suite: Suite, checkpoint: Checkpoint, baseline: Checkpoint, tolerances: Tolerances) -> EvaluationId:
    """The id of this examination."""
    tolerated = {
        SuiteKind.OFF_POLICY: repr(tolerances.held_out_margin),
        SuiteKind.EXACT_MATCH: repr(tolerances.exact_match),
        SuiteKind.DETECTION: repr((tolerances.detection, tolerances.false_positive_rate)),
    }[SuiteKind(suite.kind)]
    return EvaluationId("v_" + digest(suite.suite_id, checkpoint.checkpoint_id, baseline.checkpoint_id, tolerated)[:16])


def address_for(suite: Suite, settings: Settings, checkpoint: Checkpoint) -> ModelAddress:
    """Where a checkpoint answers the items of this suite. Raises ConfigurationError."""
    if suite.kind != SuiteKind.DETECTION:
        return model_address(settings, checkpoint)
    if checkpoint.uri is None:
        raise ConfigurationError(f"Checkpoint {checkpoint.checkpoint_id!r} is a hosted model; {suite.name!r} needs a classifier.")
    return ModelAddress(base_url="", model=checkpoint.model, folder=checkpoint.uri)


def model_address(settings: Settings, checkpoint: Checkpoint) -> ModelAddress:
    """Where a checkpoint answers. Raises ConfigurationError."""
    upstream = settings.gateway.upstreams.get(checkpoint.upstream)
    if upstream is not None:
        return ModelAddress(base_url=upstream.base_url, model=checkpoint.model, api_key_env=upstream.api_key_env)
    if checkpoint.upstream == LOCAL and settings.serving.enabled:
        return ModelAddress(base_url=f"http://{settings.serving.host}:{settings.serving.port}/v1", model=checkpoint.model)
    raise ConfigurationError(
        f"Checkpoint {checkpoint.checkpoint_id!r} is served by {checkpoint.upstream!r}, which is no upstream in the settings; "
        f"describe [gateway.upstreams.{checkpoint.upstream}], or enable serving."
    )


def _run(folder: Path) -> None:
    command = [sys.executable, "-m", "penstock.evaluation.process", str(folder / "job.json")]
    log = folder / "log.txt"
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=MOST_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise UpstreamError(f"The evaluation in {folder} took longer than {MOST_SECONDS:g} s and was stopped.") from error
    if done.returncode != 0:
        tail = log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:].strip().splitlines()
        raise UpstreamError(f"The evaluation failed: {tail[-1] if tail else f'exit code {done.returncode}'} ({log})")


def _item(evaluation_id: str, one: object, at: datetime) -> EvaluationItem:
    return msgspec.convert({**msgspec.to_builtins(one), "evaluation_id": evaluation_id, "known_at": at}, EvaluationItem)


def _evaluation(
    evaluation_id: EvaluationId, suite: Suite, checkpoint: Checkpoint, baseline: Checkpoint, judged: Judged, at: datetime
) -> Evaluation:
    return Evaluation(
        evaluation_id=evaluation_id,
        suite_id=suite.suite_id,
        checkpoint_id=checkpoint.checkpoint_id,
        baseline_checkpoint_id=baseline.checkpoint_id,
        score=judged.score,
        score_low=judged.score_low,
        score_high=judged.score_high,
        baseline_score=judged.baseline_score,
        difference=judged.difference,
        difference_low=judged.difference_low,
        difference_high=judged.difference_high,
        items=len(judged.items),
        passed=judged.passed,
        reason=f"{suite.name}: {judged.reason}",
        created_at=at,
    )
