"""What the tests of faults need of the machine."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def build_library(name: str, folder: Path) -> Path:
    """Compile one of the C files beside this one, to be loaded into a process; skips where that cannot be."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip(f"{name} is loaded into processes, for which Linux and a C compiler (cc or gcc) are needed")
    source, library = Path(__file__).with_name(f"{name}.c"), folder / f"{name}.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"], check=True, timeout=60)
    return library


@pytest.fixture(scope="session")
def recorder_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorder of what becomes durable."""
    return build_library("recorder", tmp_path_factory.mktemp("recorder"))


@pytest.fixture(scope="session")
def clock_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wall clock that jumps."""
    return build_library("clock", tmp_path_factory.mktemp("clock"))
