"""A supervisor of shell scripts: python -m tests.worker.supervisor_process FOLDER STOP_S NAME=SCRIPT...

Its programs run in FOLDER; a file `ready` there is what makes it ready, and `announced` gets a line when it says so.
"""

import os
import sys
from pathlib import Path

from penstock.worker.supervisor import Program, supervise


def main() -> None:
    folder, stop_s = Path(sys.argv[1]), float(sys.argv[2])
    os.chdir(folder)
    programs = [
        Program(name=name, command=("/bin/sh", "-c", script), environment=dict(os.environ), stop_s=stop_s)
        for name, script in (argument.split("=", 1) for argument in sys.argv[3:])
    ]

    def announce() -> None:
        with (folder / "announced").open("a") as file:
            file.write("ready\n")

    supervise(programs, folder / "logs", announce, (folder / "ready").exists)


if __name__ == "__main__":
    main()
