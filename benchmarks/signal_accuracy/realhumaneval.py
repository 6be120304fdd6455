"""RealHumanEval: programmers at work with a chat model, and how well `retry` finds where they ask for the same again.

Which pairs were judged, and how they were drawn, stands in realhumaneval_pairs.py.
"""

from pathlib import Path

from benchmarks.signal_accuracy.agreement import AGREEMENT, agreement
from benchmarks.signal_accuracy.chats import missing_of, other_chats
from benchmarks.signal_accuracy.figures import Section, Table, share
from benchmarks.signal_accuracy.pairs import COLUMNS, LIKELY, retry_rows, retry_score, tuned_threshold
from benchmarks.signal_accuracy.realhumaneval_pairs import (
    LABELS,
    SEALED,
    TUNING,
    TUNING_AGAIN,
    consecutive,
    judged,
    pair_of,
    readings,
    tuning_pairs,
)

from penstock.signals.definition import RETRY_GAP_S

_TEXT = """
Consecutive requests of one programmer, of which there are 948 pairs, judged by people who read both texts with the gap between
them and saw neither similarity nor signal. A request asks for the same again (positive) where it repeats the one before, puts it
in other words, adds what was missing in it, or says that the answer is wrong or was not what was meant; the next step, another
question, a changed piece of code and a pasted error message do not. Every pair counts for as many as it stands for. Without a
time of the answer, the gap is that between both requests; the signal as it runs looks no further than 90 s, and half of the
pairs are further apart. Labels are of the rows of one content of `chat_data`; of any other file there are none, and all that is
measured is how often consecutive requests are taken for a retry.

The test part is of the programmers whose number has an odd SHA-256: 180 of 324 pairs, drawn by similarity and task (`draw`, with
its seed), by a first reader. Figures of it were looked at while earlier versions were made, and some of the cues of correction,
which `retry@4` still has, were written after reading it, so it flatters. `unlike` is without the pairs that share most words.

`sealed` is 100 of the 624 pairs that had not been drawn, drawn by the same strata with another seed (`draw_sealed`) and labelled
by a second reader when `retry@3` was done and before it was run on them. All programmers are in it; pairs that share most words
had all been drawn before. 49 of its pairs share a request with a pair that was drawn before, and 44 had been read for
`feedback`, with another question. For `retry@4` its pairs were not read, and no figure of it was looked at until the model was
done; the first four lines of its labels (none of a pair that asks again) were seen by mistake, without their texts.

Tuning is on the other programmers: 353 of their 450 pairs, all that do not show what a sealed pair says second (`draw_tuning`),
read by a third reader, who then wrote the cues, in random order and with the answer in between. 130 of them had been judged by
the first reader too; each judgement counts half. There are not more that could be read without seeing sealed pairs. 60 were read
once more in another order within the hour, so that their agreement is memory as well.

Where it was fitted, judged in ten folds of people, it finds .67 of what asks again at a precision of .73 (F1 .70; from .70 on
.59 at .81); `retry@3` found .40 at .65 there (F1 .49). Of that next to nothing holds on `sealed`, scored once: .36 instead of
.33, and precision at .5 has fallen (.87 to .56): of 18 pairs taken for a retry 11 are one, before it was 9 of 12. From .70 on it
finds as much, and .88 of that is right. The order is a little better (AUC .72 instead of .67), within the intervals, and on the
test part it is not. Folds of people do not show it, for whoever wrote the cues had read all folds: words by which people
complain are too many to be listed from some hundred pairs. The second reader took nearly all that asks again for corrections (22
of 24), the third half of it, and nobody else has read what the second read, so readers may differ there too. Nothing was changed
after. From .70 on most of what it finds is right; most who ask again it misses.
"""


def measure(data: Path) -> Section:
    """Retry on judged pairs, and how often each kind of positive is found."""
    held_out = {label: [pair for pair in found if pair.is_test] for label, found in judged(data).items()}
    unlike = {label: [pair for pair in found if pair.weight > 1.0] for label, found in held_out.items()}
    sealed = judged(data, SEALED)
    strangers = {label: [pair for pair in found if pair.is_test] for label, found in sealed.items()}
    threshold = tuned_threshold(tuning_pairs(data))
    parts = {"test part": held_out, "test part, unlike": unlike, "sealed": sealed, "sealed, programmers for the test": strangers}
    rows, kinds = [], []
    for part, labelled in parts.items():
        rows += retry_rows(part, [pair for found in labelled.values() for pair in found], threshold, RETRY_GAP_S)
        kinds += [
            (part, label, str(len(found)), share(int((retry_score(found) >= LIKELY).sum()), len(found)))
            for label, found in sorted(labelled.items())
            if found
        ]
    return Section(
        title="RealHumanEval",
        text=_TEXT,
        tables=(
            Table(title="Consecutive requests of programmers", columns=("part", *COLUMNS), rows=tuple(rows)),
            Table(title="Taken for a retry, of the pairs as drawn", columns=_KINDS, rows=tuple(kinds)),
            Table(title="Readers of the same pairs", columns=AGREEMENT, rows=_agreement() if rows else ()),
            Table(title="Files without labels: taken for a retry", columns=_UNLABELLED, rows=_unlabelled(data)),
        ),
        missing=missing_of(data),
    )


def _agreement() -> tuple[tuple[str, ...], ...]:
    return (
        agreement("first and third, tuning", readings(LABELS, TUNING)),
        agreement("third and the same again, tuning", readings(TUNING, TUNING_AGAIN)),
    )


_KINDS = ("part", "label", "pairs", "share")
_UNLABELLED = ("file", "pairs", "at any distance", f"within {RETRY_GAP_S:.0f} s")


def _unlabelled(data: Path) -> tuple[tuple[str, ...], ...]:
    """Nobody read these, so how often there is a signal is all there is to say."""
    lines = []
    for name, rows in other_chats(data).items():
        pairs = [pair_of(rows[first], rows[second], False, 1.0) for first, second in consecutive(rows)]
        if pairs:
            is_found = retry_score(pairs) >= LIKELY
            soon = [found for found, pair in zip(is_found, pairs, strict=True) if pair.apart_s <= RETRY_GAP_S]
            lines.append((name, str(len(pairs)), share(int(is_found.sum()), len(pairs)), share(sum(soon), len(soon))))
    return tuple(lines)
