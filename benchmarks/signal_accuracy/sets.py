"""Every data set that signals are measured on, by the name of its folder among the data; a new one is a file and a line here."""

from benchmarks.signal_accuracy.cast19 import measure as cast19
from benchmarks.signal_accuracy.figures import Measure

SETS: dict[str, Measure] = {
    "cast19": cast19,
}
