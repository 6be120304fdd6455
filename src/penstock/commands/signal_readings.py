"""The readings that `penstock signals quality` and `missing` go by: the usual ones, those of outcomes, and those of --reading."""

from collections.abc import Iterable, Sequence

from penstock.app import Penstock
from penstock.errors import NotFoundError
from penstock.records.feedback import OUTCOME_PREFIX
from penstock.signals.definitions import all_definitions
from penstock.signals.readings import READINGS, Reading, outcome_reading, parse_readings


def readings_in_force(penstock: Penstock, texts: Sequence[str]) -> dict[str, Reading]:
    """By signal. BadInputError for what is no reading, NotFoundError for one of a signal that there is not."""
    outcomes = {OUTCOME_PREFIX + name: outcome_reading(one.good) for name, one in penstock.settings.outcomes.items()}
    readings = parse_readings(texts, outcomes)
    known = {*READINGS, *outcomes, *all_definitions(penstock.settings.signals, penstock.home)}
    asked = [text.partition(":")[0].strip() for text in texts]
    if not _unknown(asked, known):
        return readings
    # Only a name that nothing declares is worth looking through the signals for.
    known |= set(penstock.lake.current("signals").select("name").distinct().to_pyarrow().column("name").to_pylist())
    unknown = _unknown(asked, known)
    if unknown:
        raise NotFoundError(f"--reading {unknown[0]}: there is no such signal; there are {', '.join(sorted(known))}.")
    return readings


def _unknown(asked: Iterable[str], known: set[str]) -> list[str]:
    """Names of no signal: neither known, nor of a family that has a reading, nor all of a family that is known."""
    families = {name.partition(".")[0] for name in known}
    return [
        name
        for name in asked
        if not {name, f"{name.partition('.')[0]}.*"} & known and not (name.endswith(".*") and name[:-2] in families)
    ]
