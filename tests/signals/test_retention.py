from typing import Any

import pytest

from penstock.signals.retention import RETENTION
from tests.signals.reported import findings


def after(delay: str | None, value: float | None, **report: Any) -> dict[str, Any]:
    return {"name": "retention", "value": value, "metadata": [] if delay is None else [("delay_s", delay)], **report}


def test_each_delay_is_a_signal_of_its_own_and_its_last_report_counts() -> None:
    found = findings(RETENTION, after("30", 1.0), after("120.0", 0.9), after("600", 0.8), after("600", 0.5))
    assert {one.name: (one.value, one.evidence["reading"], one.evidence["delay_s"]) for one in found} == {
        "retention.30s": (1.0, "unchanged", "30"),
        "retention.120s": (0.9, "mostly unchanged", "120"),
        "retention.600s": (0.5, "changed", "600"),
    }


def test_from_the_text_that_stands_the_share_is_worked_out() -> None:
    offered = "one two three four five six seven eight nine ten"
    (found,) = findings(RETENTION, after("30", None, text=f"{offered} x", response_text=offered))
    assert (found.value, found.evidence["reading"]) == (1.0, "mostly unchanged")
    (found,) = findings(RETENTION, after("30", 0.1, text="one two three four five", response_text=offered))
    assert (found.value, found.evidence["reading"]) == (0.5, "changed")


@pytest.mark.parametrize("delay", [None, "soon", "-3", "1e3"])
def test_without_a_delay_it_is_retention_alone(delay: str | None) -> None:
    (found,) = findings(RETENTION, after(delay, 0.7))
    assert (found.name, found.value) == ("retention", 0.7)
    assert "delay_s" not in found.evidence


def test_what_cannot_be_read_has_a_reason() -> None:
    found = findings(RETENTION, after("30", 7.0), after("60", None, text="x"))
    assert [one.value for one in found] == [None, None]
    assert all(one.evidence["reason"].startswith("neither a share") for one in found)
    assert not any("reading" in one.evidence for one in found)
