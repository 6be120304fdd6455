"""Test results from JUnit XML, as pytest, Maven, Gradle and others write it: counted case by case, whatever the suites' sums say.

A suite that sums up errors or failures of which it shows none has failed all the same, as where it broke before its first case.

Read by expat as a stream. A document type is refused, and with it every entity that could be declared in one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.parsers import expat

import msgspec
from msgspec import Struct

from penstock.errors import BadInputError, EmptySelectionError
from penstock.records.clock import utc_now
from penstock.records.ids import content_hash, digest

MOST_BYTES = 64 * 1024 * 1024
_MOST_DEPTH = 100
_MOST_DIGITS = 10
_ROOTS = ("testsuites", "testsuite")
_FAILED, _SKIPPED = frozenset({"failure", "error"}), frozenset({"skipped"})


class TestResults(Struct, frozen=True, kw_only=True):
    """What ran, and how it ended."""

    __test__ = False  # for pytest, which takes the name for its own

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    finished_at: datetime | None = None  # the latest time that a suite names with its zone
    content: str = ""  # of the files, as a hash

    @property
    def summary(self) -> str:
        """The counts in words."""
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read_results(paths: Sequence[Path]) -> TestResults:
    """All files together; raises BadInputError for one that cannot be read."""
    every = [_read_file(path) for path in paths]
    times = [one.finished_at for one in every if one.finished_at is not None]
    return TestResults(
        passed=sum(one.passed for one in every),
        failed=sum(one.failed for one in every),
        skipped=sum(one.skipped for one in every),
        finished_at=max(times, default=None),
        content=digest(*sorted(one.content for one in every)),
    )


def report_results(
    results: TestResults, targets: Iterable[Mapping[str, Any]], name: str, now: datetime | None = None
) -> list[dict[str, Any]]:
    """One report per target: 1 where all tests passed, 0 where one did not. Raises EmptySelectionError where none ran."""
    if results.passed + results.failed == 0:
        raise EmptySelectionError(f"No test ran ({results.skipped} skipped), so nothing can be said of them.")
    now = now or utc_now()
    at = min(results.finished_at or now, now)
    return [
        {
            "name": name,
            **target,
            "value": 0.0 if results.failed else 1.0,
            "text": results.summary,
            "occurred_at": at.isoformat(),
            "idempotency_key": "junit:" + digest(name, msgspec.json.encode(target, order="sorted").decode(), results.content),
            "source": "junit",
            "metadata": {"passed": results.passed, "failed": results.failed, "skipped": results.skipped},
        }
        for target in targets
    ]


def _read_file(path: Path) -> TestResults:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > MOST_BYTES:
        raise BadInputError(f"{path} is larger than {MOST_BYTES:,} bytes.")
    counter = _Counter()
    try:
        _parser(counter).Parse(content, True)
    except expat.ExpatError as error:
        raise BadInputError(f"{path} is no XML that can be read: {error}.") from error
    except (_RefusedError, ValueError, LookupError) as error:  # the latter two: an encoding that there is not
        raise BadInputError(f"{path}: {error}.") from error
    return msgspec.structs.replace(counter.results(), content=content_hash(content))


def _parser(counter: "_Counter") -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.StartElementHandler = counter.start
    parser.EndElementHandler = counter.end
    parser.StartDoctypeDeclHandler = _refuse_document_type
    return parser


def _refuse_document_type(*_arguments: Any) -> None:
    raise _RefusedError("it declares a document type, which no test report needs and which is not read")


class _RefusedError(Exception):
    """What is well-formed and still not read."""


class _Counter:
    """Counts while the document goes by."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._suites: list[tuple[int, int]] = []  # of those open: what they sum up to, and what had failed before them
        self._case: set[str] = set()
        self._passed = self._failed = self._skipped = 0
        self._finished_at: datetime | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins; names may stand in a namespace's prefix."""
        name = name.rpartition(":")[2]
        if not self._open and name not in _ROOTS:
            raise _RefusedError(f"it begins with <{name[:80]}>, where a test report begins with <testsuites> or <testsuite>")
        if len(self._open) >= _MOST_DEPTH:
            raise _RefusedError(f"its elements nest deeper than {_MOST_DEPTH}")
        within = self._open[-1] if self._open else ""
        self._open.append(name)
        if name in _ROOTS:
            self._suites.append((_summed(attributes), self._failed))
        if name == "testcase":
            self._case = set()
        elif within == "testcase":
            self._case.add(name)
        elif name in _FAILED and within in _ROOTS:
            self._failed += 1  # what went wrong around the cases, as in a fixture of a whole class
        if name == "testsuite":
            self._note_time(attributes.get("timestamp", ""))

    def end(self, name: str) -> None:
        """An element ends."""
        self._open.pop()
        name = name.rpartition(":")[2]
        if name in _ROOTS:
            summed, before = self._suites.pop()
            if self._failed == before:
                self._failed += summed
        if name != "testcase":
            return
        if self._case & _FAILED:
            self._failed += 1
        elif self._case & _SKIPPED:
            self._skipped += 1
        else:
            self._passed += 1

    def results(self) -> TestResults:
        """The counts."""
        return TestResults(passed=self._passed, failed=self._failed, skipped=self._skipped, finished_at=self._finished_at)

    def _note_time(self, text: str) -> None:
        """A time without a zone is some machine's own, so it does not tell when it was."""
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                return
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return
        self._finished_at = max(moment, self._finished_at or moment)


def _summed(attributes: Mapping[str, str]) -> int:
    """Errors and failures by a suite's own sums; what is no whole number sums up nothing."""
    told = (attributes.get(name, "").strip() for name in ("errors", "failures"))
    return sum(int(text) for text in told if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS)
