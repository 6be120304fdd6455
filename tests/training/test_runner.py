import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from penstock.errors import TrainingError
from penstock.training.checkpoint_files import verify
from penstock.training.recipe_config import RecipeConfig, make_config
from penstock.training.runner import RunCancelledError, RunFiles, run_recipe
from tests.training.conftest import PATIENCE_S, SMALL, run, sft_rows, write_dataset

LONG = {"architecture": SMALL, "max_steps": 1_000_000, "log_every": 1}


def prepare(folder: Path, dataset: Path, **fields: Any) -> tuple[RecipeConfig, RunFiles]:
    files = RunFiles(folder=folder)
    paths = {name: str(getattr(files, name)) for name in ("out", "metrics", "heartbeat", "cancel")}
    return make_config("sft", {"dataset": str(dataset), "threads": 1, **paths, **fields}), files


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data", sft_rows(64))


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.05)


def test_a_finished_run_is_not_run_again(base: Path) -> None:
    before = (base / "manifest.json").stat().st_mtime_ns
    manifest = run("sft", base.parent, Path("no such dataset"), architecture=SMALL)
    assert manifest == verify(base)
    assert (base / "manifest.json").stat().st_mtime_ns == before


def test_a_recipe_that_fails_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no such dataset.*cannot be read") as raised:
        run("sft", tmp_path / "run", Path("no such dataset"), architecture=SMALL)
    assert "exit code 2" in str(raised.value)
    assert not RunFiles(folder=tmp_path / "run").out.exists()


def test_a_recipe_without_a_heartbeat_is_stopped(tmp_path: Path, dataset: Path) -> None:
    config, files = prepare(tmp_path / "run", dataset, **LONG)
    with pytest.raises(TrainingError, match="no progress"):
        run_recipe("sft", config, files, heartbeat_timeout_s=0.05)


def test_a_cancelled_run_leaves_no_output_and_nothing_running(tmp_path: Path, dataset: Path) -> None:
    config, files = prepare(tmp_path / "run", dataset, **LONG)

    def cancel_once_it_trains() -> None:
        wait_for(files.metrics)
        files.cancel.touch()

    canceller = threading.Thread(target=cancel_once_it_trains)
    canceller.start()
    with pytest.raises(RunCancelledError):
        run_recipe("sft", config, files, PATIENCE_S)
    canceller.join()
    assert not files.out.exists()


def test_a_recipe_that_is_killed_leaves_no_checkpoint_and_can_be_run_again(tmp_path: Path, dataset: Path) -> None:
    config, files = prepare(tmp_path / "run", dataset, architecture=SMALL, max_steps=3)
    files.out.with_name("checkpoint.tmp").mkdir(parents=True)
    (files.out.with_name("checkpoint.tmp") / "model.safetensors").write_bytes(b"half")
    manifest = run_recipe("sft", config, files, PATIENCE_S)
    assert "model.safetensors" in manifest.files
    assert sorted(path.name for path in files.folder.iterdir() if path.suffix == ".tmp") == []


@pytest.mark.slow
def test_a_recipe_ends_with_the_process_that_started_it(tmp_path: Path, dataset: Path) -> None:
    config, files = prepare(tmp_path / "run", dataset, **LONG)
    (tmp_path / "config.json").write_bytes(msgspec.json.encode(config))
    program = (
        "import sys; from pathlib import Path; from penstock.training.recipe_config import SftConfig, read_config; "
        "from penstock.training.runner import RunFiles, run_recipe; "
        "run_recipe('sft', read_config(Path(sys.argv[1]), SftConfig), RunFiles(folder=Path(sys.argv[2])), 100)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "config.json"), str(files.folder)]) as runner:
        wait_for(files.metrics)
        children = Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()
        runner.send_signal(signal.SIGKILL)
        runner.wait()
    for child in children:
        while _runs(int(child)):
            time.sleep(0.05)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
