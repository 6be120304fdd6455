"""What a person sees of the demo while it runs: one line per stage with its ids and its time, and a bar while users type.

All of it goes to standard error; standard output is left to the result.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

OnProgress = Callable[[int], None]


class Narration:
    """Tells the story on one console."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, soft_wrap=True)
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self._started

    def headline(self, text: str) -> None:
        """Begin a part of the story."""
        minutes, seconds = divmod(int(self.seconds), 60)
        self._console.print(Text(f"\n{minutes}:{seconds:02d}  {text}", style="bold"))

    def stage(self, name: str, text: str, seconds: float | None = None) -> None:
        """Say what a stage did."""
        took = "" if seconds is None else f"  ({seconds:.1f} s)"
        self._console.print(Text(f"  {name:<10}  {text}{took}"))

    @contextmanager
    def bar(self, title: str, total: int | None) -> Iterator[OnProgress]:
        """A bar that goes away when it is full; nothing where nobody watches."""
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bar:
            task = bar.add_task(title, total=total)
            yield lambda count: bar.update(task, completed=count)
