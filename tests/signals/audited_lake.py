"""A lake of served traffic with signals and people's answers, small enough for a test and known in every figure."""

from datetime import timedelta

import numpy

from penstock.lake.lake import Lake
from penstock.records.ids import label_id
from penstock.records.interaction import Interaction
from penstock.records.label import Label
from tests.rows import LATER, make_interaction, make_signal


def turns(number: int, *, users: int | None = None, days: float = 1.0, **fields) -> list[Interaction]:
    """So many interactions, evenly over some days, each of its own user or of a few."""
    step = days * 86_400 / number
    return [make_interaction(at, start=at * step, user_id=f"u{at % users if users else at}", **fields) for at in range(number)]


def answer(interaction: Interaction, is_good: bool, **fields) -> Label:
    """What a person said about it."""
    annotator = fields.pop("annotator", "anna")
    given = {
        "label_id": label_id("audit", 1, "good", interaction.interaction_id, annotator, str(is_good)),
        "target_kind": "interaction", "target_id": interaction.interaction_id, "interaction_id": interaction.interaction_id,
        "schema": "audit", "schema_version": 1, "dimension": "good", "value": float(is_good), "annotator_kind": "person",
        "annotator": annotator, "known_at": LATER + timedelta(days=40), "stream": "estimation",
        "started_at": interaction.started_at,
    }  # fmt: skip
    return Label(**{**given, **fields})


def fill(lake: Lake, seed: int = 0, number: int = 400, audited: int = 200, **fields) -> list[Interaction]:
    """Good answers are copied and bad ones asked again, mostly; people answered for the first `audited`."""
    generator = numpy.random.default_rng(seed)
    rows = turns(number, days=14, **fields)
    good = generator.random(number) < 0.7
    signals, labels = [], []
    for at, row in enumerate(rows):
        if generator.random() < (0.5 if good[at] else 0.1):
            signals.append(make_signal("copy", row, 1.0))
        if generator.random() < (0.1 if good[at] else 0.6):
            signals.append(make_signal("retry", row, round(float(generator.uniform(0.3, 1.0)), 3)))
        if at < audited:
            labels.append(answer(row, bool(good[at])))
    lake.append("interactions", rows)
    lake.append("signals", signals)
    lake.append("labels", labels)
    return rows
