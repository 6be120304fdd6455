import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from penstock.serving.server import parse_arguments


def test_the_command_line_names_directories_and_limits() -> None:
    options = parse_arguments(["--allow", "a", "--allow", "b", "--port", "0", "--max-batch", "8"])
    assert (options.allow, options.port, options.max_batch) == ([Path("a"), Path("b")], 0, 8)


def test_without_an_allowed_directory_it_does_not_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments([])
    assert "--allow" in capsys.readouterr().err


def test_the_process_says_its_port_answers_and_ends_when_told(checkpoints: Path, tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "penstock.serving.server", "--port", "0", "--port-file", port_file, "--allow", checkpoints]
    with subprocess.Popen(command) as process:
        try:
            while not port_file.exists():
                assert process.poll() is None
                time.sleep(0.05)
            response = httpx.post(
                f"http://127.0.0.1:{port_file.read_text()}/v1/completions",
                json={"model": "one", "prompt": "tab: abcd", "max_tokens": 2},
                timeout=60,
            )
            assert response.status_code == 200
        finally:
            process.terminate()
        process.wait(30)
