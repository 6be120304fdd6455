"""The supervisor of `penstock up`: starts every process, restarts one that dies, and ends when told to.

The children die with it, however it ends. The model server is its child and not the worker's, so that a worker that restarts
never interrupts the answers of production.
"""

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from penstock.child_process import die_with_parent
from penstock.errors import StorageError

_FIRST_BACKOFF_S, _MOST_BACKOFF_S = 0.5, 30.0
_STEADY_S = 60.0  # a child that ran for this long starts anew without waiting
_POLL_S = 0.1

logger = logging.getLogger(__name__)


class Program(Struct, frozen=True, kw_only=True):
    """One process to keep running."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    stop_s: float = 20.0  # how long it may take to end by itself


class Child:
    """A program and the process that runs it now."""

    def __init__(self, program: Program, log_folder: Path) -> None:
        self.program = program
        self._log_path = log_folder / f"{program.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._backoff_s = _FIRST_BACKOFF_S
        self._start_after = 0.0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def look_after(self) -> None:
        """Start it where it does not run, waiting longer each time it dies young."""
        now = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            logger.error("%s ended with exit code %s; see %s", self.program.name, self._process.returncode, self._log_path)
            self._backoff_s = (
                _FIRST_BACKOFF_S if now - self._started_at > _STEADY_S else min(_MOST_BACKOFF_S, self._backoff_s * 2)
            )
            self._start_after = now + self._backoff_s
            self._process = None
        if self._process is None and now >= self._start_after:
            self._start(now)

    def stop(self) -> None:
        """Ask it to end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self) -> None:
        """Wait until it has ended, and make it end when it takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(self.program.stop_s)
        except subprocess.TimeoutExpired:
            logger.error("%s did not end within %s s and is killed", self.program.name, self.program.stop_s)
            self._process.kill()
            self._process.wait()

    def _start(self, now: float) -> None:
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.program.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.program.environment,
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
        self._started_at = now
        logger.info("%s started, process %s", self.program.name, self._process.pid)


def supervise(programs: Sequence[Program], log_folder: Path, on_ready: Callable[[], None], is_ready: Callable[[], bool]) -> None:
    """Run the programs until SIGTERM or SIGINT; `on_ready` is called once, when `is_ready` first holds."""
    try:
        log_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"The log folder {log_folder} cannot be made: {error.strerror}.") from error
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    children = [Child(program, log_folder) for program in programs]
    announced = False
    try:
        while not stopping.is_set():
            for child in children:
                child.look_after()
            if not announced and is_ready():
                announced = True
                on_ready()
            stopping.wait(_POLL_S)
    finally:
        for child in children:
            child.stop()
        for child in children:
            child.wait()
