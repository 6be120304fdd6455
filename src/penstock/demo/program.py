"""The demo's hold on Penstock: the command line and HTTP, as any outside program has."""

import asyncio
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from penstock.errors import PenstockError


class Program:
    """Runs `penstock` commands for one home directory."""

    def __init__(self, home: Path) -> None:
        self.home = home

    async def call(self, *arguments: str) -> Any:
        """Run one command with --json and return what it printed; a failed command raises PenstockError with its message."""
        process = await asyncio.create_subprocess_exec(
            *self._command(*arguments, "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment(),
        )
        output, errors = await process.communicate()
        if process.returncode != 0:
            detail = errors.decode(errors="replace").strip().splitlines()
            raise PenstockError(f"`penstock {' '.join(arguments)}` failed: {detail[-1] if detail else 'no message'}")
        return json.loads(output.decode().strip().splitlines()[-1])

    async def sql(self, query: str) -> list[dict[str, Any]]:
        """The rows of a `penstock sql` query."""
        rows: list[dict[str, Any]] = await self.call("sql", query)
        return rows

    async def start(self) -> asyncio.subprocess.Process:
        """Start `penstock up`; its output goes to a log in the home directory."""
        log = (self.home / "up.log").open("wb")
        try:
            return await asyncio.create_subprocess_exec(
                *self._command("up"), stdout=log, stderr=log, env=self._environment(), start_new_session=True
            )
        finally:
            log.close()

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "penstock.cli", *arguments]

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        return {**inherited, "PENSTOCK_HOME": str(self.home)}


def free_port() -> int:
    """A TCP port of the loopback interface that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
