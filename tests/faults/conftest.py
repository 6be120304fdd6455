"""What the tests of faults need of the machine."""

from pathlib import Path

import pytest

from tests.faults.power_cut import build_recorder


@pytest.fixture(scope="session")
def recorder_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorder of what becomes durable; skips where it cannot be built."""
    library = build_recorder(tmp_path_factory.mktemp("recorder"))
    if library is None:
        pytest.skip("a power cut is simulated on Linux with a C compiler (cc or gcc) only")
    return library
