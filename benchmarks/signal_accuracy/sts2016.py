"""SemEval 2016 task 1: pairs of sentences that people graded from 0 (of other things) to 5 (the same).

Questions are the requests here; the other two kinds are no requests, and show what the words alone are good for.
"""

import lzma
from hashlib import sha256
from pathlib import Path

from benchmarks.signal_accuracy.figures import Section
from benchmarks.signal_accuracy.pairs import Pair, retry_table

LEAST_SAME = 4.0  # equivalent, but for details that do not matter

_TEXT = """
Pairs of questions from Stack Exchange, graded by people; a grade of 4 or 5 is the same question (positive). Figures are of the
pairs whose first question has an odd SHA-256; the model and the baseline's threshold were tuned on the others. Answers and
corrected machine translations are measured whole: no coefficient was fitted on them, and the baseline has the questions'
threshold. One rule followed from a look at the answers, that what both texts deny is no complaint of the second. A sentence is
no request: there the share of common words alone does better than a model of how people ask again.
"""


def measure(data: Path) -> Section:
    """Retry on graded questions, and on two kinds of sentences that are none."""
    questions = graded(data, "question-question")
    tuned_on = [pair for pair in questions if not pair.is_test]
    tables = [
        retry_table("Questions", [pair for pair in questions if pair.is_test], tuned_on),
        retry_table("Answers", graded(data, "answer-answer"), tuned_on),
        retry_table("Corrected translations", graded(data, "postediting"), tuned_on),
    ]
    return Section(title="SemEval 2016 similarity", text=_TEXT, tables=tuple(tables))


def graded(data: Path, kind: str) -> list[Pair]:
    """The pairs of one kind that have a grade."""
    lines = lzma.decompress((data / "sts2016" / f"{kind}.test.tsv.xz").read_bytes()).decode().splitlines()
    rows = [line.split("\t") for line in lines]
    return [
        Pair(group=first, first=first, second=second, is_same=float(grade) >= LEAST_SAME, is_test=_is_odd(first))
        for grade, first, second in rows
        if grade
    ]


def _is_odd(text: str) -> bool:
    return sha256(text.encode()).digest()[-1] % 2 == 1
