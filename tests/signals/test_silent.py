from penstock.signals.silent import SILENT
from tests.signals.reported import findings


def test_silence_is_said_by_name_or_as_the_state_of_an_acceptance() -> None:
    for report in ({"name": "silent", "value": 1.0}, {"name": "silence"}, {"name": "acceptance", "text": "silent"}):
        (found,) = findings(SILENT, report)
        assert (found.name, found.value, found.kind) == ("silent", 1.0, "implicit")


def test_a_rejection_or_a_zero_is_no_silence() -> None:
    assert findings(SILENT, {"name": "acceptance", "text": "rejected"}) == []
    assert findings(SILENT, {"name": "silent", "value": 0.0}) == []
