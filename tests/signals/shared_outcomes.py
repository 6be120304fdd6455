"""Users of whom each has one outcome, on one interaction or shared by several."""

from penstock.lake.lake import Lake
from penstock.records.interaction import Interaction
from tests.rows import make_interaction, make_signal
from tests.signals.audited_lake import answer


def share_out(lake: Lake, values: list[float | None], parts: list[int], **fields) -> list[Interaction]:
    """By user the value of the outcome, None where none came, and how many of the user's interactions it is about."""
    rows, signals, labels = [], [], []
    for user, (value, number) in enumerate(zip(values, parts, strict=True)):
        for part in range(number):
            place = user * 10 + part
            row = make_interaction(place, start=user * 60.0 + part, user_id=f"u{user}", session_id=f"s{user}", **fields)
            rows.append(row)
            evidence = {} if number == 1 else {"weight": f"{1 / number:.6f}"}
            if value is not None:
                signals.append(make_signal("outcome.solved", row, value, kind="outcome", evidence=evidence))
            labels.append(answer(row, user % 3 != 0))
    lake.append("interactions", rows)
    lake.append("signals", signals)
    lake.append("labels", labels)
    return rows
