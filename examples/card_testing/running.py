"""Runs every arm of every seed in a process of its own, so many side by side, with a bar each while somebody watches."""

import atexit
import multiprocessing
import os
import time
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

from examples.card_testing.chart import TITLES
from examples.card_testing.stream import ARMS, Arm, ArmResult, Scenario, run_arm
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


def run_all(scenarios: list[Scenario], folder: Path, processes: int) -> list[ArmResult]:
    """Every arm of every seed in a process of its own, with a bar each while somebody watches."""
    context = multiprocessing.get_context("spawn")  # never forked: see lake/lake.py
    with (
        context.Manager() as manager,
        ProcessPoolExecutor(processes, mp_context=context, max_tasks_per_child=1, initializer=leave_at_once) as pool,
    ):
        days = manager.Queue()
        # The arm that takes longest comes first.
        jobs = [(arm, one) for one in scenarios for arm in sorted(ARMS, key=lambda arm: arm != "hours")]
        futures = [pool.submit(run_one, arm, one, folder / f"seed-{one.seed}" / arm, days) for arm, one in jobs]
        watch(jobs, futures, days)
        return [future.result() for future in futures]


def leave_at_once() -> None:
    """End this process without an ordinary exit, in which libraries list what they have not tidied up."""
    atexit.register(os._exit, 0)


def run_one(arm: Arm, scenario: Scenario, folder: Path, days: Any) -> ArmResult:
    """One arm, in its process."""
    return run_arm(arm, scenario, folder, lambda day: days.put((arm, scenario.seed, day)))


def watch(jobs: list[tuple[Arm, Scenario]], futures: list["Future[ArmResult]"], days: Any) -> None:
    """Show how far each arm has come, until all have ended."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("day {task.completed:.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks = {
            (arm, one.seed): progress.add_task(f"{TITLES[arm]}, seed {one.seed}", total=one.days, start=False)
            for arm, one in jobs
        }
        while not all(future.done() for future in futures) or not days.empty():
            while not days.empty():
                arm, seed, day = days.get()
                progress.start_task(tasks[arm, seed])
                progress.update(tasks[arm, seed], completed=day)
            time.sleep(0.1)
