"""edit: how much of the response a person changed. 0 (verbatim) to 1 (rewritten). Implicit; from reports of the text they kept.

The unit is the share of words that had to be touched, of the longer text's: inserted, deleted, replaced, or moved as a block,
which counts once. Formatting is set aside first and named in the evidence, which also has the edit in characters, what survives
of the generated text, and the class: verbatim (up to .02), light (below .2), edited, rewrite (above .5) or discard (all gone).
`word_edit_rate` is HTER, changes of case aside. After PRELUDE (2404.15269), TER (Snover et al. 2006) and Levenshtein.

The final text is that of a report named edited, or, found by whatever key, final_text, sent, published or submitted. Where a
report says only which share was kept, the rest was changed: nothing where `edited` is false. `edited` that is true says nothing
without the text.
"""

from collections.abc import Sequence

import ibis.expr.types as ir
import numpy
import numpy.typing as npt
import pyarrow as pa

from penstock.records.signal import SignalKind
from penstock.signals.compared_texts import TextPairs, numbers_of, text_pairs, with_found
from penstock.signals.definition import EVIDENCE, BatchDefinition, Tables
from penstock.signals.reports import edit_reports, findings_of
from penstock.signals.text_edit import (
    MOST_CHARACTERS,
    Edits,
    classify,
    classify_shares,
    formatting_changes,
    measure_edits,
    plain,
)

_OFFERED = f"{EVIDENCE}offered"


def _select(tables: Tables) -> ir.Table:
    told = edit_reports(tables.reports)
    return findings_of(told, SignalKind.IMPLICIT, name="edit", value=told.share, text=told.text, offered=told.response_text)


def _judge(batch: pa.RecordBatch) -> pa.RecordBatch:
    """What the texts say where both are there, else what the report does."""
    pairs, share = text_pairs(batch, _OFFERED, "text"), 1.0 - numbers_of(batch, "value")
    is_told = pairs.is_there | ((share >= 0.0) & (share <= 1.0))
    reported = {"class": classify_shares(share), "compared": ["the share kept, as reported"] * batch.num_rows}
    edits = measure_edits([plain(text) for text in pairs.offered], [plain(text) for text in pairs.final])
    share[pairs.is_there] = edits.share
    evidence = {
        f"{EVIDENCE}{name}": _spread(content, pairs.is_there, reported.get(name))
        for name, content in _evidence(edits, pairs).items()
    }
    return with_found(batch, share, evidence, without=[_OFFERED]).filter(pa.array(is_told))


def _evidence(edits: Edits, pairs: TextPairs) -> dict[str, Sequence[str | None]]:
    """What is known of every pair of texts."""
    texts = list(zip(pairs.offered, pairs.final, strict=True))
    cut = f"the first {MOST_CHARACTERS} characters"
    return {
        "class": classify(edits),
        "words": [str(count) for count in edits.words.tolist()],
        "characters": [str(count) for count in edits.characters.tolist()],
        "word_edit_rate": _four_digits(edits.rate),
        "character_share": _four_digits(edits.character_share),
        "survival": _four_digits(edits.survival),
        "formatting": [formatting_changes(one[:MOST_CHARACTERS], other[:MOST_CHARACTERS]) for one, other in texts],
        "compared": [cut if max(len(one), len(other)) > MOST_CHARACTERS else None for one, other in texts],
    }


def _four_digits(numbers: npt.NDArray[numpy.float64]) -> list[str]:
    return [f"{number:.4f}" for number in numbers.tolist()]


def _spread(
    content: Sequence[str | None], is_there: npt.NDArray[numpy.bool_], otherwise: Sequence[str | None] | None
) -> list[str | None]:
    """What is known of some rows, as a column over all."""
    column = numpy.full(len(is_there), None, object) if otherwise is None else numpy.array(otherwise, object)
    column[is_there] = content
    spread: list[str | None] = column.tolist()
    return spread


EDIT = BatchDefinition(name="edit", version=4, source="reports", select=_select, judge=_judge)
