"""edit: how much of the response a person changed. 0 (verbatim) to 1 (rewritten). Implicit; from reports of the text they kept.

The unit is the share of characters that had to change: the Levenshtein distance over the longer text's length, white space
at the ends and runs of it set aside. Evidence has the same in words.
"""

from collections.abc import Mapping
from typing import Any

from rapidfuzz.distance import LCSseq, Levenshtein

from penstock.records.signal import SignalKind
from penstock.signals.definition import Finding, RowDefinition, Tables, from_report
from penstock.signals.reports import acceptance_reports

# The distance takes time in proportion to the product of the lengths; more than this says nothing new about an edit.
MOST_CHARACTERS = 20_000


def kept_share(offered: str, final: str) -> float:
    """The share of the offered text that still stands, in order, in the final one."""
    offered, final = normalise(offered), normalise(final)
    return LCSseq.similarity(offered, final) / len(offered) if offered else 0.0


def edit_share(offered: str, final: str) -> float:
    """The share of characters that had to change."""
    return Levenshtein.normalized_distance(normalise(offered), normalise(final))


def edit_share_in_words(offered: str, final: str) -> float:
    """The share of words that had to change."""
    return Levenshtein.normalized_distance(offered[:MOST_CHARACTERS].split(), final[:MOST_CHARACTERS].split())


def normalise(text: str) -> str:
    """Without the white space that only formats."""
    return " ".join(text[:MOST_CHARACTERS].split())


def final_text(name: str, text: str | None) -> str | None:
    """What a report says the person kept in the end, if it says so."""
    return text if name.lower() in ("edit", "edited") else None


def _select(tables: Tables) -> Any:
    return acceptance_reports(tables.reports)


def _judge(row: Mapping[str, Any]) -> Finding | None:
    final, offered = final_text(row["name"], row["text"]), row["response_text"]
    if final is None or offered is None:
        return None
    evidence = {"words": f"{edit_share_in_words(offered, final):.4f}", "kept": f"{kept_share(offered, final):.4f}"}
    return from_report(row, "edit", SignalKind.IMPLICIT, edit_share(offered, final), text=final, evidence=evidence)


EDIT = RowDefinition(name="edit", version=1, select=_select, judge=_judge)
