"""A real PostgreSQL for tests: Debian's, in a short temporary folder, on a Unix socket, with a fresh database per test.

It refuses to run as root, so root starts it as the user that its package made.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

_OPTIONS = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=200 -c listen_addresses=''"


class PostgresServer:
    """A running server that makes databases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._databases = 0

    def create_database(self) -> str:
        """Make an empty database and return its SQLAlchemy URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        with psycopg.connect(host=str(self._folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://postgres@/{name}?host={self._folder}"


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Start a server, and stop it and delete its data at the end; skip the test where PostgreSQL is not installed."""
    binaries = _find_binaries()
    if binaries is None:
        pytest.skip("install Debian's postgresql")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data = str(folder / "data")
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        _run(folder, binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-locale")
        _run(folder, binaries / "pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", f"{_OPTIONS} -k {folder}", "start")
        try:
            yield PostgresServer(folder)
        finally:
            _run(folder, binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _find_binaries() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


def _run(folder: Path, program: Path, *arguments: str) -> None:
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    finished = subprocess.run([*as_user, str(program), *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if finished.returncode:
        log = folder / "log"
        text = finished.stdout.decode() + (log.read_text() if log.exists() else "")
        raise RuntimeError(f"{program.name} failed: {text}")
