"""A training run from dataset to registered checkpoint: the run's state in the registry, the weights under their hash.

The same run id always gives the same checkpoint, however often it is asked and wherever it was interrupted.
"""

import subprocess
from pathlib import Path
from typing import Any

import msgspec

from penstock import __version__
from penstock.errors import ConfigurationError, NotFoundError, TrainingError
from penstock.records.clock import utc_now
from penstock.records.dataset import DatasetVersion
from penstock.records.training import Checkpoint, TrainingRun, TrainingRunState
from penstock.registry.registry import Registry
from penstock.settings import Settings
from penstock.training.checkpoint_files import Manifest, checkpoint_id
from penstock.training.recipe_config import PATHS, RecipeConfig, config_hash, make_config
from penstock.training.runner import RunCancelledError, RunFiles, run_recipe

LOCAL_UPSTREAM = "local"


def train(
    registry: Registry,
    settings: Settings,
    artifacts: Path,
    *,
    run_id: str,
    recipe: str,
    dataset: DatasetVersion,
    parent: Checkpoint | None,
    overrides: dict[str, Any],
    rehearsal: DatasetVersion | None = None,
    seed: int = 0,
    name: str = "",
) -> Checkpoint:
    """Run the recipe and register what came out. Raises TrainingError, ConfigurationError."""
    files = RunFiles(folder=artifacts / "runs" / run_id)
    config = _config(settings, recipe, dataset, parent, rehearsal, overrides, seed, files)
    run = registry.runs.put(_new_run(run_id, recipe, dataset, parent, config))
    if run.state == TrainingRunState.SUCCEEDED and run.checkpoint_id is not None:
        return registry.checkpoints.get(run.checkpoint_id)
    registry.runs.transition(run_id, TrainingRunState.RUNNING, started_at=utc_now())
    try:
        manifest = run_recipe(recipe, config, files, settings.training.heartbeat_timeout_s)
    except RunCancelledError as error:
        registry.runs.transition(run_id, TrainingRunState.CANCELLED, ended_at=utc_now(), error=str(error))
        raise
    except TrainingError as error:
        registry.runs.transition(run_id, TrainingRunState.FAILED, ended_at=utc_now(), error=str(error))
        raise
    checkpoint = _checkpoint(artifacts, files, manifest, run, name or recipe)
    with registry.transaction():
        # Weights that are there already are that checkpoint, whoever made them again: its name and its origin stay.
        checkpoint = _standing(registry, checkpoint) or registry.checkpoints.put(checkpoint)
        registry.runs.transition(run_id, TrainingRunState.SUCCEEDED, ended_at=utc_now(), checkpoint_id=checkpoint.checkpoint_id)
    return checkpoint


def _config(
    settings: Settings,
    recipe: str,
    dataset: DatasetVersion,
    parent: Checkpoint | None,
    rehearsal: DatasetVersion | None,
    overrides: dict[str, Any],
    seed: int,
    files: RunFiles,
) -> RecipeConfig:
    reserved = sorted(set(overrides) & PATHS)
    if reserved:
        raise ConfigurationError(f"`{reserved[0]}` is set by Penstock; leave it out of the recipe's config.")
    fields: dict[str, Any] = {
        "dataset": dataset.uri,
        "dataset_version_id": dataset.dataset_version_id,
        "out": str(files.out),
        "metrics": str(files.metrics),
        "heartbeat": str(files.heartbeat),
        "cancel": str(files.cancel),
        "seed": seed,
        "threads": settings.training.threads,
        **overrides,
    }
    if parent is not None:
        if parent.uri is None:
            raise ConfigurationError(f"The parent {parent.checkpoint_id} is a hosted model; recipes need weights to go on from.")
        fields |= {"parent": parent.uri, "parent_checkpoint_id": parent.checkpoint_id}
    if rehearsal is not None:
        fields["rehearsal"] = rehearsal.uri
    return make_config(recipe, fields)


def _new_run(run_id: str, recipe: str, dataset: DatasetVersion, parent: Checkpoint | None, config: RecipeConfig) -> TrainingRun:
    return TrainingRun(
        training_run_id=run_id,
        recipe=recipe,
        dataset_version_id=dataset.dataset_version_id,
        parent_checkpoint_id=parent.checkpoint_id if parent is not None else None,
        state=str(TrainingRunState.PENDING),
        config=msgspec.json.encode(config, order="sorted").decode(),
        config_hash=config_hash(config),
        code_revision=code_revision(),
        seed=config.seed,
    )


def _checkpoint(artifacts: Path, files: RunFiles, manifest: Manifest, run: TrainingRun, name: str) -> Checkpoint:
    """Give the weights their name by content; the run's folder keeps a link to them."""
    named = checkpoint_id(manifest.content_hash)
    folder = artifacts / "checkpoints" / named
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists() and not files.out.is_symlink():
        files.out.rename(folder)
        files.out.symlink_to(folder)
    return Checkpoint(
        checkpoint_id=named,
        name=name,
        content_hash=manifest.content_hash,
        uri=str(folder),
        upstream=LOCAL_UPSTREAM,
        model=named,
        parent_checkpoint_id=run.parent_checkpoint_id,
        training_run_id=run.training_run_id,
        dataset_version_id=run.dataset_version_id,
        created_at=utc_now(),
    )


def _standing(registry: Registry, made: Checkpoint) -> Checkpoint | None:
    try:
        found = registry.checkpoints.get(made.checkpoint_id)
    except NotFoundError:
        return None
    return found if found.content_hash == made.content_hash else None


def code_revision() -> str:
    """The commit that this code is of, where it lies in a repository; else the version."""
    try:
        found = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return f"v{__version__}"
    return found.stdout.strip()
