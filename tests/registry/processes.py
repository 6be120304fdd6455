"""What tests run in processes of their own; each takes the URL of a registry that is migrated already, or not."""

import multiprocessing
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from penstock.registry.registry import Registry
from tests.registry.examples import NOON, a_turn


def run_at_once(count: int, work: Callable[..., None], *arguments: Any) -> list[int | None]:
    """Run `work(*arguments, number)` in this many spawned processes and return their exit codes."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(*arguments, number)) for number in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def migrate(url: str, _number: int) -> None:
    Registry(url).migrate()


def move_runs(url: str, steps: int, number: int) -> None:
    """Move one run of its own and one that all share, back into the state they are in."""
    registry = Registry(url)
    for step in range(steps):
        run_id = "r_shared" if step % 2 else f"r_{number}"
        registry.runs.transition(run_id, "running", started_at=NOON + timedelta(seconds=step))


def create_turns(url: str, count: int, number: int) -> None:
    """Create turns of its own, and between them one that all create."""
    registry = Registry(url)
    for turn in range(count):
        registry.turns.create(a_turn(f"t_{number}_{turn}"))
        registry.turns.create(a_turn("t_shared"))


def flip_route(url: str, count: int, number: int) -> None:
    registry = Registry(url)
    for flip in range(count):
        registry.routes.set_stable(f"route-{number}", ("c_stable", "c_candidate")[flip % 2], NOON)


def acquire_lease(url: str, folder: str, number: int) -> None:
    """Leave a file if it gets the lease."""
    if Registry(url).leases.acquire("settle", f"worker-{number}", 60.0, NOON):
        os.close(os.open(f"{folder}/{number}", os.O_CREAT))


def die_between_verdict_and_flip(url: str, _number: int) -> None:
    registry = Registry(url)
    with registry.transaction():
        registry.releases.transition("rel_1", "live", at=NOON, evidence={})
        os._exit(9)


def die_after_flip(url: str, _number: int) -> None:
    registry = Registry(url)
    with registry.transaction():
        registry.releases.transition("rel_1", "live", at=NOON, evidence={})
        registry.routes.end_canary("code", "c_candidate", NOON)
    os._exit(9)
