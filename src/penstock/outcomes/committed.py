"""What became of suggestions in a repository: outcome.committed is the share of their lines that commits added, outcome.survived
the share that is still there at HEAD. Both have the time of the commit that shows it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from penstock.errors import BadInputError
from penstock.outcomes.git_repository import Commit, GitRepository
from penstock.outcomes.suggestions import Suggestion, normalise
from penstock.records.clock import utc_now
from penstock.records.ids import digest

COMMITTED, SURVIVED = "outcome.committed", "outcome.survived"
_SHOWN = 10  # digits of a commit


class Fates(Struct, frozen=True, kw_only=True):
    """What is reported, and what is not."""

    commits: int  # that were read
    suggestions: int  # that some commit names
    reports: list[dict[str, Any]]
    passed_over: dict[str, int]


def find_fates(
    repository: GitRepository,
    commits: Sequence[Commit],
    suggestions: Mapping[str, Sequence[Suggestion]],
    survived_after_days: float,
    now: datetime | None = None,
) -> Fates:
    """The reports on every suggestion that these commits name by request id, or that is known by their hash."""
    now = now or utc_now()
    passed_over: Counter[str] = Counter()
    named: dict[str, tuple[Suggestion, list[Commit]]] = {}
    for commit in commits:
        for name in (*commit.request_ids, commit.sha):
            if name != commit.sha and name not in suggestions:
                passed_over["no interaction has the request id of a trailer"] += 1
            for suggestion in suggestions.get(name, ()):
                named.setdefault(suggestion.interaction_id, (suggestion, []))[1].append(commit)
    reports: list[dict[str, Any]] = []
    reader = _Reader(repository)
    old_enough = now - timedelta(days=survived_after_days)
    for suggestion, where in named.values():
        where = list({commit.sha: commit for commit in where}.values())
        try:
            if suggestion.reason is not None:
                raise BadInputError(suggestion.reason)
            reports.append(_committed(reader, suggestion, where, now))
            if max(commit.committed_at for commit in where) <= old_enough:
                reports.append(_survived(reader, repository, suggestion, where, now))
        except BadInputError as error:
            passed_over[str(error)] += 1
    return Fates(commits=len(commits), suggestions=len(named), reports=reports, passed_over=dict(passed_over))


def share_of(lines: Sequence[str], found: Counter[str]) -> tuple[int, Counter[str]]:
    """How many of these lines are found, each as often as it is there, and which."""
    both = Counter(lines) & found
    return both.total(), both


class _Reader:
    """Reads each commit once."""

    def __init__(self, repository: GitRepository) -> None:
        self._repository = repository
        self._added: dict[str, Counter[str]] = {}
        self._at_head: dict[str, Counter[str]] = {}

    def added(self, commits: Sequence[Commit]) -> Counter[str]:
        total: Counter[str] = Counter()
        for commit in commits:
            if commit.sha not in self._added:
                self._added[commit.sha] = Counter(map(normalise, self._repository.added_lines(commit)))
            total += self._added[commit.sha]
        return total

    def at_head(self, commits: Sequence[Commit]) -> Counter[str]:
        """The lines of the files that these commits touched; of a file that several did, once."""
        total: Counter[str] = Counter()
        for commit in commits:
            if commit.sha not in self._at_head:
                paths = self._repository.touched_files(commit)
                self._at_head[commit.sha] = Counter(map(normalise, self._repository.lines_at_head(commit, paths)))
            total |= self._at_head[commit.sha]
        return total


def _committed(reader: _Reader, suggestion: Suggestion, commits: Sequence[Commit], now: datetime) -> dict[str, Any]:
    count, _ = share_of(suggestion.lines, reader.added(commits))
    last = max(commits, key=lambda commit: commit.committed_at)
    shas = sorted(commit.sha for commit in commits)
    text = f"{count} of {len(suggestion.lines)} lines in {', '.join(sha[:_SHOWN] for sha in shas[:_SHOWN])}"
    return _report(COMMITTED, suggestion, count, text, min(last.committed_at, now), shas)


def _survived(
    reader: _Reader, repository: GitRepository, suggestion: Suggestion, commits: Sequence[Commit], now: datetime
) -> dict[str, Any]:
    """Only lines that were committed can have survived; that the same line stands there anyway is no merit of the suggestion."""
    _, committed = share_of(suggestion.lines, reader.added(commits))
    count, _ = share_of(list(committed.elements()), reader.at_head(commits))
    head = repository.head_commit()
    text = f"{count} of {len(suggestion.lines)} lines at {head.sha[:_SHOWN]}"
    return _report(SURVIVED, suggestion, count, text, min(head.committed_at, now), [head.sha])


def _report(name: str, suggestion: Suggestion, count: int, text: str, at: datetime, shas: Sequence[str]) -> dict[str, Any]:
    return {
        "name": name,
        **suggestion.target,
        "value": count / len(suggestion.lines),
        "text": text,
        "occurred_at": at.isoformat(),
        "idempotency_key": "git:" + digest(name, suggestion.interaction_id, *shas),
        "source": "git",
    }
