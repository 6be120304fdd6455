"""Measures signals on labelled data sets, and writes the figures into a page between two marks.

python -m benchmarks.signal_accuracy --data ../shared/data --write docs/signals.md
python -m benchmarks.signal_accuracy --data ../shared/data --only cast19
"""

import argparse
from pathlib import Path

from benchmarks.signal_accuracy.page import text_of, with_measured
from benchmarks.signal_accuracy.sets import SETS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signal_accuracy", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="The folder that has a folder for every data set.")
    parser.add_argument("--write", type=Path, help="The page whose measured part is replaced; without it, figures are printed.")
    parser.add_argument("--only", choices=sorted(SETS), help="Print what one set gives.")
    options = parser.parse_args()
    if options.only and options.write:
        parser.error("--write takes the figures of every set; leave out --only.")
    sections = {name: measure(options.data) for name, measure in SETS.items() if options.only in (None, name)}
    if options.write:
        page = options.write.read_text(encoding="utf-8")
        options.write.write_text(with_measured(page, sections), encoding="utf-8")
    else:
        print("\n\n".join(text_of(name, section) for name, section in sections.items()))


if __name__ == "__main__":
    main()
