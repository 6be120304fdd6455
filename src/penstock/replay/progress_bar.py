"""A progress bar on a terminal; nothing at all where the output is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from penstock.replay.run import OnProgress, ReplayStep


@contextmanager
def progress_bar(console: Console | None = None) -> Iterator[OnProgress]:
    """What replay_files takes as `on_progress`; draws on standard error."""
    console = console or Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("replay", total=1.0, note="")

        def draw(step: ReplayStep) -> None:
            note = step.waiting or describe(step)
            done = (step.file_number - 1 + step.fraction) / max(step.files, 1)
            bar.update(task, completed=done, description=step.file, note=note)

        yield draw


def describe(step: ReplayStep) -> str:
    """The counts in words, those that are zero left out."""
    counts = [(step.sent, "sent"), (step.skipped, "sent before"), (step.feedback, "reports"), (step.rejected, "rejected")]
    return ", ".join(f"{count:,} {word}" for count, word in counts if count) or "nothing sent"
