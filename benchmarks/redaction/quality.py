"""Recall and precision of redaction by kind, beside presidio-analyzer's own recognisers on the same texts.

    python benchmarks/redaction/quality.py [--data ../shared/data/presidio] [--mistakes]

A value counts as found where something of its kind overlaps it, as covered where nothing of it is left, whatever took it out; a
find counts as false where it overlaps no value of its kind. Presidio runs without a language model, so that patterns meet
patterns, once with everything that it proposes and once from a score of .4 on.
"""

import argparse
import json
import logging
import lzma
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine

from penstock.text.redaction import Redactor

KINDS = {
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "US_SSN": "ssn",
    "IP_ADDRESS": "ip",
    "US_DRIVER_LICENSE": "national_id",
    "STREET_ADDRESS": "address",
    "DATE_TIME": "birth_date",  # most of them are other dates, which nobody takes out
}
WITH_A_BAR = ("email", "phone", "card", "iban", "ssn", "ip")


class Part(NamedTuple):
    start: int
    end: int
    kind: str


Find = Callable[[str], Sequence[Part]]


class Score:
    def __init__(self) -> None:
        self.values: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.covered: Counter[str] = Counter()
        self.finds: Counter[str] = Counter()
        self.false: Counter[str] = Counter()
        self.mistakes: list[str] = []

    def add(self, text: str, values: Sequence[Part], finds: Sequence[Part]) -> None:
        for value in values:
            self.values[value.kind] += 1
            is_found = any(find.kind == value.kind and overlap(find, value) for find in finds)
            self.found[value.kind] += is_found
            self.covered[value.kind] += is_covered(text, value, finds)
            if not is_found and value.kind in WITH_A_BAR:
                self.mistakes.append(f"missed {value.kind}: {text[value.start : value.end]!r}")
        for find in finds:
            self.finds[find.kind] += 1
            if not any(find.kind == value.kind and overlap(find, value) for value in values):
                self.false[find.kind] += 1
                self.mistakes.append(
                    f"false {find.kind}: {text[find.start : find.end]!r} in {text[max(find.start - 30, 0) : find.end + 20]!r}"
                )

    def by_kind(self) -> dict[str, dict[str, float | int | None]]:
        return {
            kind: {
                "values": self.values[kind],
                "recall": ratio(self.found[kind], self.values[kind]),
                "covered": ratio(self.covered[kind], self.values[kind]),
                "precision": ratio(self.finds[kind] - self.false[kind], self.finds[kind]),
                "false": self.false[kind],
            }
            for kind in dict.fromkeys([*WITH_A_BAR, *KINDS.values(), *sorted(self.finds)])
        }


def ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def overlap(one: Part, other: Part) -> bool:
    return one.start < other.end and other.start < one.end


def is_covered(text: str, value: Part, finds: Sequence[Part]) -> bool:
    left = {at for at in range(value.start, value.end) if text[at].isalnum()}
    for find in finds:
        left.difference_update(range(find.start, find.end))
    return not left


def ours() -> Find:
    redactor = Redactor(b"k" * 32)

    def find(text: str) -> Sequence[Part]:
        data = text.encode()
        return [
            Part(len(data[:one.start].decode()), len(data[: one.end].decode()), one.kind) for one in redactor.find_plain(data)
        ]  # fmt: skip

    return find


def presidio(min_score: float) -> Find:
    engine = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": "blank"}])
    engine.nlp = {"en": spacy.blank("en")}
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])

    def find(text: str) -> Sequence[Part]:
        results = analyzer.analyze(text, "en", entities=list(KINDS), score_threshold=min_score)
        return [Part(result.start, result.end, KINDS[result.entity_type]) for result in results]

    return find


def read_texts(folder: Path) -> Iterator[tuple[str, list[Part]]]:
    for path in sorted(folder.glob("*.json.xz")):
        for row in json.loads(lzma.decompress(path.read_bytes())):
            spans = [span for span in row["spans"] if span["entity_type"] in KINDS]
            yield (
                row["full_text"],
                [Part(span["start_position"], span["end_position"], KINDS[span["entity_type"]]) for span in spans],
            )


def main() -> None:
    logging.getLogger("tldextract").setLevel(logging.CRITICAL)  # it looks for a newer list of domains before it takes its own
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / ".." / "shared" / "data" / "presidio")
    parser.add_argument("--mistakes", action="store_true")
    options = parser.parse_args()
    texts = list(read_texts(options.data))
    for name, find in {"penstock": ours(), "presidio": presidio(0.0), "presidio from .4": presidio(0.4)}.items():
        score = Score()
        for text, values in texts:
            score.add(text, values, find(text))
        print(json.dumps({"finder": name, "texts": len(texts)}))
        for kind, figures in score.by_kind().items():
            print(f"  {kind:12}", json.dumps(figures))
        if options.mistakes:
            print(*(f"    {mistake}" for mistake in score.mistakes), sep="\n")


if __name__ == "__main__":
    main()
