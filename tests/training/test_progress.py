import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from penstock.training.progress import CancelledError, Progress
from penstock.training.recipe_config import RecipeConfig


@pytest.fixture
def config(tmp_path: Path) -> RecipeConfig:
    names = ("out", "metrics", "heartbeat", "cancel")
    return RecipeConfig(dataset="d", **{name: str(tmp_path / "run" / name) for name in names})


@pytest.fixture
def progress(config: RecipeConfig) -> Iterator[Progress]:
    before = signal.getsignal(signal.SIGTERM)
    progress = Progress(config)
    progress.start(None)
    yield progress
    signal.signal(signal.SIGTERM, before)


def test_a_step_touches_the_heartbeat(progress: Progress, config: RecipeConfig) -> None:
    heartbeat = Path(config.heartbeat)
    os.utime(heartbeat, (0, 0))
    progress.beat()
    assert heartbeat.stat().st_mtime > 0


def test_metrics_are_one_line_of_json_per_step(progress: Progress, config: RecipeConfig) -> None:
    progress.log(1, loss=0.5)
    progress.log(2, loss=0.25, warning=None)
    lines = [msgspec.json.decode(line) for line in Path(config.metrics).read_bytes().splitlines()]
    assert [(line["step"], line["loss"]) for line in lines] == [(1, 0.5), (2, 0.25)]


def test_metrics_of_an_attempt_that_was_cut_short_are_dropped(progress: Progress, config: RecipeConfig) -> None:
    progress.log(1, loss=0.5)
    again = Progress(config)
    again.start(None)
    assert not Path(config.metrics).exists()


def test_the_cancel_file_stops_it_at_the_next_step(progress: Progress, config: RecipeConfig) -> None:
    Path(config.cancel).touch()
    with pytest.raises(CancelledError):
        progress.beat()


def test_sigterm_stops_it_at_the_next_step(progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(CancelledError):
        progress.beat()
