"""Runs one recipe as a process of its own and watches it: heartbeat, cancellation, the end.

A folder with a whole manifest is a finished run, so a runner that died and was started again trains nothing twice.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from penstock.errors import StorageError, TrainingError
from penstock.training.checkpoint_files import Manifest, read_manifest, verify
from penstock.training.progress import EXIT_CANCELLED
from penstock.training.recipe_config import RecipeConfig

_POLL_S = 0.1
_STOP_S = 10.0
_TAIL_LINES = 15


class RunCancelledError(TrainingError):
    """Somebody asked the recipe to stop."""


class RunFiles(Struct, frozen=True, kw_only=True):
    """Where one run keeps what is not its result."""

    folder: Path

    @property
    def config(self) -> Path:
        """What the recipe reads."""
        return self.folder / "config.json"

    @property
    def metrics(self) -> Path:
        """JSONL, one line per logged step."""
        return self.folder / "metrics.jsonl"

    @property
    def heartbeat(self) -> Path:
        """Touched at every step."""
        return self.folder / "heartbeat"

    @property
    def cancel(self) -> Path:
        """Its presence asks the recipe to stop."""
        return self.folder / "cancel"

    @property
    def log(self) -> Path:
        """Everything the recipe printed."""
        return self.folder / "log.txt"

    @property
    def out(self) -> Path:
        """The result, before it is named by its content."""
        return self.folder / "checkpoint"


def run_recipe(recipe: str, config: RecipeConfig, files: RunFiles, heartbeat_timeout_s: float) -> Manifest:
    """Train and give the manifest of what came out. Raises TrainingError with the log's tail, RunCancelledError."""
    if read_manifest(files.out) is not None:
        return verify(files.out)
    try:
        files.folder.mkdir(parents=True, exist_ok=True)
        files.config.write_bytes(msgspec.json.format(msgspec.json.encode(config), indent=1))
        files.heartbeat.touch()
        log = files.log.open("ab")
    except OSError as error:
        raise StorageError(f"The run's folder {files.folder} cannot be written: {error.strerror}.") from error
    with log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"penstock.training.recipes.{recipe}", str(files.config), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # what it starts can be ended with it
        )
        try:
            code = _watch(process, recipe, files, heartbeat_timeout_s)
        finally:
            _end(process)
    if code == EXIT_CANCELLED:
        raise RunCancelledError(f"The recipe {recipe} was cancelled; it wrote no checkpoint.")
    if code != 0:
        raise TrainingError(f"The recipe {recipe} ended with exit code {code}. The end of {files.log}:\n{_tail(files.log)}")
    if read_manifest(files.out) is None:
        raise TrainingError(f"The recipe {recipe} ended without a checkpoint; see {files.log}.")
    return verify(files.out)


def _watch(process: subprocess.Popen[bytes], recipe: str, files: RunFiles, heartbeat_timeout_s: float) -> int:
    beaten_at, last = time.monotonic(), _beat(files)
    cancelled_at: float | None = None
    while (code := process.poll()) is None:
        time.sleep(_POLL_S)
        now, beat = time.monotonic(), _beat(files)
        if files.cancel.exists():
            cancelled_at = cancelled_at or now
            if now - cancelled_at > _STOP_S:  # a step so long, or a hang, that it has not looked
                return EXIT_CANCELLED
        if beat != last:
            beaten_at, last = now, beat
        elif now - beaten_at > heartbeat_timeout_s:
            raise TrainingError(
                f"The recipe {recipe} showed no progress for {heartbeat_timeout_s:g} s and was stopped. "
                f"The end of {files.log}:\n{_tail(files.log)}"
            )
    return code


def _beat(files: RunFiles) -> int:
    try:
        return files.heartbeat.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of it running: first a request, then the whole process group by force."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:])
