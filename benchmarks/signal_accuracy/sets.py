"""Every data set that signals are measured on, by the name of its folder among the data; a new one is a file and a line here.

Where a folder is measured on for several signals, the signal stands behind a colon.
"""

from benchmarks.signal_accuracy.abandonment import measure as abandonment
from benchmarks.signal_accuracy.cast19 import measure as cast19
from benchmarks.signal_accuracy.cups import measure as cups
from benchmarks.signal_accuracy.figures import Measure
from benchmarks.signal_accuracy.mlqe_pe import measure as mlqe_pe
from benchmarks.signal_accuracy.realhumaneval import measure as realhumaneval
from benchmarks.signal_accuracy.realhumaneval_feedback import measure as realhumaneval_feedback
from benchmarks.signal_accuracy.sts2016 import measure as sts2016
from benchmarks.signal_accuracy.taubench import measure as taubench
from benchmarks.signal_accuracy.topical_chat import measure as topical_chat

SETS: dict[str, Measure] = {
    "cast19": cast19,
    "cast19:abandonment": abandonment,
    "taubench": taubench,
    "sts2016": sts2016,
    "realhumaneval": realhumaneval,
    "cups": cups,
    "mlqe_pe": mlqe_pe,
    "realhumaneval:feedback": realhumaneval_feedback,
    "topical_chat": topical_chat,
}
