"""A real git repository in a temporary folder."""

import os
import subprocess
from pathlib import Path


class Clone:
    """A repository with commits at times of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self._minute = 0

    def git(self, *arguments: str, **environment: str) -> str:
        names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
        outside = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **names, **outside, **environment},
            capture_output=True,
            check=True,
        )
        return done.stdout.decode("utf-8", "replace").strip()

    def write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, message: str, *, at: str | None = None, **files: str | bytes) -> str:
        """Commit these files (a dot stands as two underscores) and give the hash."""
        for name, content in files.items():
            self.write(name.replace("__", "."), content)
        self._minute += 1
        moment = at or f"2026-02-01T10:{self._minute:02}:00+00:00"
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message, GIT_COMMITTER_DATE=moment, GIT_AUTHOR_DATE=moment)
        return self.git("rev-parse", "HEAD")
