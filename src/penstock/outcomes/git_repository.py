"""Reads commits by the program `git`, from a clone that nobody has to trust.

Nothing in the clone is run and nothing is fetched: no shell, hook, pager, external diff, textconv, signature check, file monitor
or transport. What git prints is bounded in size and time, and is parsed by counts, never by how a line looks.
"""

import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from penstock.errors import BadInputError, ConfigurationError, MissingDependencyError

MOST_COMMITS = 10_000
COMMITS_BY_DEFAULT = 1000
MOST_LOG_BYTES = 64 * 1024 * 1024
MOST_DIFF_BYTES = 16 * 1024 * 1024
MOST_FILE_BYTES = 4 * 1024 * 1024
MOST_REQUESTS = 100  # in one commit
TIMEOUT_S = 60.0
_TRAILER = re.compile(r"^Penstock-Request:[ \t]*(\S{1,1024})[ \t]*$", re.MULTILINE | re.IGNORECASE)
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_SAFE = (
    "--no-pager",
    "--no-replace-objects",
    "--no-optional-locks",
    "--literal-pathspecs",
    *("-c", "core.fsmonitor=", "-c", f"core.hooksPath={os.devnull}", "-c", f"core.attributesFile={os.devnull}"),
    *("-c", "log.showSignature=false", "-c", "protocol.allow=never", "-c", "core.quotePath=false"),
)
_DIFF = ("diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all")


class Commit(Struct, frozen=True, kw_only=True):
    """One commit, and the requests that its message names."""

    sha: str
    parents: tuple[str, ...]
    committed_at: datetime
    request_ids: tuple[str, ...]


class GitRepository:
    """One clone on this machine."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        """Raises BadInputError where there is no repository."""
        if not path.is_dir():
            raise BadInputError(f"There is no folder {path}; name a clone of the repository.")
        self._path = path.resolve()
        self._timeout_s = timeout_s
        self.head = self._commit_of("HEAD")

    def commits(self, since: str | None = None) -> list[Commit]:
        """The commits from HEAD back to a revision, newest first; raises BadInputError."""
        reach = (
            [f"{self._commit_of(since)}..{self.head}", f"-n{MOST_COMMITS}"] if since else [self.head, f"-n{COMMITS_BY_DEFAULT}"]
        )
        return self._log(reach)

    def head_commit(self) -> Commit:
        """HEAD."""
        return self._log([self.head, "-n1"])[0]

    def added_lines(self, commit: Commit) -> list[str]:
        """The lines that a commit adds to its first parent; raises BadInputError where they are too many."""
        return _added(self._run([*_DIFF, "-p", "-U0", *_trees(commit)], MOST_DIFF_BYTES))

    def touched_files(self, commit: Commit) -> list[str]:
        """The files that a commit changed and left in place."""
        return [new for _, new in self._changes(_trees(commit))]

    def lines_at_head(self, commit: Commit, paths: Sequence[str]) -> list[str]:
        """The lines that these files of a commit have at HEAD, wherever they have been moved to."""
        moved = dict(self._changes([commit.sha, self.head])) if commit.sha != self.head else {}
        gone = self._deleted(commit) if commit.sha != self.head else set()
        lines: list[str] = []
        for path in paths:
            if path not in gone:
                lines += self._file_at_head(moved.get(path, path))
        return lines

    def _log(self, reach: Sequence[str]) -> list[Commit]:
        form = "--format=%H%x1f%P%x1f%ct%x1f%B"
        output = self._run(["log", "-z", "--encoding=UTF-8", "--no-color", "--no-notes", form, *reach, "--"], MOST_LOG_BYTES)
        return [_read_commit(record) for record in output.decode("utf-8", "replace").split("\0") if record.strip()]

    def _file_at_head(self, path: str) -> list[str]:
        try:
            content = self._run(["cat-file", "blob", f"{self.head}:{path}"], MOST_FILE_BYTES)
        except BadInputError:
            return []  # a submodule, or too large to be anybody's suggestion
        return [] if b"\0" in content else content.decode("utf-8", "replace").splitlines()

    def _changes(self, trees: Sequence[str]) -> list[tuple[str, str]]:
        """Old and new name of what one tree changed of another and did not delete."""
        return [(old, new) for status, old, new in self._statuses(trees) if status != "D"]

    def _deleted(self, commit: Commit) -> set[str]:
        return {old for status, old, _ in self._statuses([commit.sha, self.head]) if status == "D"}

    def _statuses(self, trees: Sequence[str]) -> list[tuple[str, str, str]]:
        output = self._run([*_DIFF, "--name-status", "-z", *trees], MOST_DIFF_BYTES)
        fields = iter(output.decode("utf-8", "surrogateescape").split("\0"))
        found = []
        for status in fields:
            if not status or _is_sha(status):
                continue  # a root commit is named first
            old = next(fields)
            found.append((status[0], old, next(fields) if status[0] in "RC" else old))
        return found

    def _commit_of(self, revision: str) -> str:
        """The full hash of a revision; raises BadInputError."""
        if revision.startswith("-"):
            raise BadInputError(f"{revision!r} is no revision.")
        output = self._run(["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"], 1024)
        sha = output.decode("ascii", "replace").split()[-1:]
        if not sha or not _is_sha(sha[0]):
            raise BadInputError(self._missing(revision))
        return sha[0]

    def _missing(self, revision: str) -> str:
        if revision == "HEAD":
            return (
                f"{self._path} has no commit at HEAD: nothing is committed yet, or the branch that is checked out is not there."
            )
        return f"{self._path} has no revision {revision!r}; name a commit, a branch or a tag of it."

    def _run(self, arguments: Sequence[str], most_bytes: int) -> bytes:
        """What git prints; raises BadInputError where it fails, prints too much, or takes too long."""
        command = ["git", *_SAFE, "-C", str(self._path), *arguments]
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=_environment()
                )
            except FileNotFoundError as error:
                raise MissingDependencyError("The program `git` is not installed; install it to read commits.") from error
            timer = threading.Timer(self._timeout_s, process.kill)
            timer.start()
            with process:
                assert process.stdout is not None  # noqa: S101  it is a pipe
                output = process.stdout.read(most_bytes + 1)
                if len(output) > most_bytes:
                    process.kill()
            is_late = not timer.is_alive()
            timer.cancel()
            if len(output) > most_bytes:
                raise BadInputError(f"git {arguments[0]} prints more than {most_bytes:,} bytes")
            if is_late:
                raise BadInputError(f"git {arguments[0]} takes longer than {self._timeout_s:g} s")
            if process.returncode:
                errors.seek(0)
                raise self._failure(arguments, errors.read(4096).decode("utf-8", "replace"))
        return output

    def _failure(self, arguments: Sequence[str], text: str) -> Exception:
        reason = next((line for line in text.splitlines() if line.strip()), "it says nothing").removeprefix("fatal: ")
        if "dubious ownership" in text:
            return ConfigurationError(
                f"{self._path} belongs to another user; allow it with `git config --global safe.directory`."
            )
        if "not a git repository" in text:
            return BadInputError(f"{self._path} is no git repository; name a clone of one.")
        if arguments[0] == "rev-parse":
            return BadInputError(self._missing(arguments[-1].removesuffix("^{commit}")))
        return BadInputError(f"git {arguments[0]} fails: {reason}")


def _trees(commit: Commit) -> list[str]:
    return [commit.parents[0], commit.sha] if commit.parents else ["--root", commit.sha]


def _environment() -> dict[str, str]:
    """Ours without what would point git elsewhere, and with every transport closed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}


def _read_commit(record: str) -> Commit:
    sha, parents, seconds, message = record.lstrip("\n").split("\x1f", 3)
    requests = dict.fromkeys(_TRAILER.findall(message.replace("\r\n", "\n")))
    try:
        committed_at = datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        committed_at = datetime.fromtimestamp(0, UTC)  # git itself shows what it cannot read so
    return Commit(sha=sha, parents=tuple(parents.split()), committed_at=committed_at, request_ids=tuple(requests)[:MOST_REQUESTS])


def _added(diff: bytes) -> list[str]:
    """The added lines of a patch; hunks are read by their counts, so that no line can pass for a header."""
    found: list[str] = []
    old_left = new_left = 0
    for line in diff.split(b"\n"):
        if old_left or new_left:
            sign = line[:1]
            new_left -= sign in (b"+", b" ", b"")
            old_left -= sign in (b"-", b" ", b"")
            if sign == b"+":
                found.append(line[1:].decode("utf-8", "replace"))
        elif match := _HUNK.match(line):
            old_left, new_left = (1 if count is None else int(count) for count in match.groups())
    return found


def _is_sha(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", text) is not None
