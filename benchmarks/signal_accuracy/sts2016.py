"""SemEval 2016 task 1: pairs of sentences that people graded from 0 (of other things) to 5 (the same); a file for each kind.

Questions are the requests here; the other kinds are no requests, and show what the words alone are good for.
"""

from hashlib import sha256
from pathlib import Path

from benchmarks.signal_accuracy.figures import Section, Table
from benchmarks.signal_accuracy.files import content_of, files_of, missing, name_of
from benchmarks.signal_accuracy.pairs import COLUMNS, Pair, retry_rows, tuned_threshold

LEAST_SAME = 4.0  # equivalent, but for details that do not matter
TUNED_ON = "question-question.test"
KNOWN = (TUNED_ON, "answer-answer.test", "postediting.test")

_TEXT = """
Pairs of sentences, graded by people; a grade of 4 or 5 is the same (positive). `question-question` has questions from Stack
Exchange: figures are of the pairs whose first question has an odd SHA-256; the model and the baseline's threshold were tuned on
the others. Every other file is measured whole: no coefficient was fitted on it, and the baseline has the questions' threshold.
One rule followed from a look at the answers (`answer-answer`), that what both texts deny is no complaint of the second. A
sentence is no request: there the share of common words alone does better than a model of how people ask again.
"""


def measure(data: Path) -> Section:
    """Retry on graded questions, and on kinds of sentences that are none."""
    folder = data / "sts2016"
    paths = sorted(files_of(folder, ".tsv"), key=lambda path: (name_of(path) != TUNED_ON, path.name))
    pairs = {name_of(path): graded(path) for path in paths}
    threshold = tuned_threshold([pair for pair in pairs.get(TUNED_ON, ()) if not pair.is_test])
    rows = [
        line
        for name, found in pairs.items()
        for line in retry_rows(name, [pair for pair in found if pair.is_test or name != TUNED_ON], threshold)
    ]
    table = Table(title="Graded pairs", columns=("file", *COLUMNS), rows=tuple(rows))
    return Section(title="SemEval 2016 similarity", text=_TEXT, tables=(table,), missing=missing(folder, KNOWN, paths))


def questions(data: Path) -> list[Pair]:
    """The graded questions; half of them tuning may see."""
    (path,) = (path for path in files_of(data / "sts2016", ".tsv") if name_of(path) == TUNED_ON)
    return graded(path)


def graded(path: Path) -> list[Pair]:
    """The pairs of one file that have a grade."""
    rows = [line.split("\t")[:3] for line in content_of(path).decode().splitlines() if line.count("\t") >= 2]
    return [
        Pair(group=first, first=first, second=second, is_same=float(grade) >= LEAST_SAME, is_test=_is_odd(first))
        for grade, first, second in rows
        if grade
    ]


def _is_odd(text: str) -> bool:
    return sha256(text.encode()).digest()[-1] % 2 == 1
