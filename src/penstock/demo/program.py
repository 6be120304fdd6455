"""The demo's hold on Penstock: the command line and HTTP, as any outside program has."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penstock.child_process import die_with_parent
from penstock.errors import PenstockError


class Program:
    """Runs `penstock` commands for one home directory."""

    def __init__(self, home: Path) -> None:
        self.home = home

    async def call(self, *arguments: str, on_line: Callable[[str], None] = lambda _line: None) -> Any:
        """Run one command with --json and return what it printed; a failed command raises PenstockError with its message.

        `on_line` is told every line that the command says on the way, on standard error.
        """
        process = await asyncio.create_subprocess_exec(
            *self._command(*arguments, "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment(),
        )
        if process.stdout is None or process.stderr is None:
            raise PenstockError(f"`penstock {' '.join(arguments)}` was started without pipes.")
        output, lines = await asyncio.gather(process.stdout.read(), _lines(process.stderr, on_line))
        if await process.wait() != 0:
            raise PenstockError(f"`penstock {' '.join(arguments)}` failed: {lines[-1] if lines else 'no message'}")
        return json.loads(output.decode().strip().splitlines()[-1])

    async def sql(self, query: str) -> list[dict[str, Any]]:
        """The rows of a `penstock sql` query."""
        rows: list[dict[str, Any]] = await self.call("sql", f"SELECT * FROM ({query})")
        return rows

    async def start(self) -> asyncio.subprocess.Process:
        """Start `penstock up`; its output goes to a log in the home directory."""
        log = (self.home / "up.log").open("wb")
        try:
            return await asyncio.create_subprocess_exec(
                *self._command("up"),
                stdout=log,
                stderr=log,
                env=self._environment(),
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
        finally:
            log.close()

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "penstock.cli", *arguments]

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        return {**inherited, "PENSTOCK_HOME": str(self.home)}


async def _lines(stream: asyncio.StreamReader, on_line: Callable[[str], None]) -> list[str]:
    lines: list[str] = []
    while line := await stream.readline():
        text = line.decode(errors="replace").strip()
        if text:
            lines.append(text)
            on_line(text)
    return lines


def free_port() -> int:
    """A TCP port of the loopback interface that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
