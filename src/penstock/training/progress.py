"""What a recipe tells the outside while it runs, and how it learns that it is to stop: metrics, heartbeat, cancellation.

The heartbeat is touched by the training step itself, never by a thread that would live on while training hangs.
"""

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import msgspec

from penstock.errors import PenstockError
from penstock.training.recipe_config import ConfigType, RecipeConfig, read_config

EXIT_FAILED = 1
EXIT_REFUSED = 2  # the config or the data is wrong
EXIT_CANCELLED = 3


_PR_SET_PDEATHSIG = 1  # Linux: which signal to get when the parent ends


class CancelledError(Exception):
    """The recipe was asked to stop; it leaves no output."""


class Progress:
    """The recipe's side of metrics, heartbeat and cancellation."""

    def __init__(self, config: RecipeConfig) -> None:
        self._metrics = Path(config.metrics)
        self._heartbeat = Path(config.heartbeat)
        self._cancel = Path(config.cancel)
        self._terminated = False
        self._started = time.monotonic()

    def start(self, runner: int | None) -> None:
        """Take SIGTERM as a request to stop, end when the process that runs this one ends, and begin new metrics."""
        if runner is not None:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != runner:
                raise CancelledError  # it ended before we asked to be told
        signal.signal(signal.SIGTERM, self._terminate)
        for path in (self._metrics, self._heartbeat):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._metrics.unlink(missing_ok=True)  # those of an attempt that was cut short
        self.beat()

    def _terminate(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signal module's signature
        self._terminated = True

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked the recipe to stop."""
        return self._terminated or self._cancel.exists()

    def beat(self) -> None:
        """Show that a step has been made. Raises CancelledError when asked to stop."""
        self._heartbeat.touch()
        if self.is_cancelled:
            raise CancelledError

    def log(self, step: int, **metrics: float | int | str | None) -> None:
        """Append one line of metrics."""
        line = {"step": step, "seconds": round(time.monotonic() - self._started, 3), **metrics}
        with self._metrics.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")


def start_recipe(arguments: Sequence[str], shape: type[ConfigType]) -> tuple[ConfigType, Progress]:
    """Config and progress of a recipe started as `recipe config.json [process id of the runner]`."""
    config = read_config(Path(arguments[1]), shape)
    progress = Progress(config)
    progress.start(int(arguments[2]) if len(arguments) > 2 else None)
    return config, progress


def run_and_exit(work: Callable[[], None]) -> None:
    """Run a recipe's main function and turn how it ended into an exit code."""
    code = 0
    try:
        work()
    except CancelledError:
        print("cancelled: no output was written", file=sys.stderr)
        code = EXIT_CANCELLED
    except PenstockError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        code = EXIT_REFUSED
    except Exception:  # noqa: BLE001 - the end of the process; the runner shows this log's tail
        traceback.print_exc()
        code = EXIT_FAILED
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # libraries leave threads behind that can abort an ordinary exit
