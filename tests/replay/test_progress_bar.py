import io

from rich.console import Console

from penstock.replay.progress_bar import describe, progress_bar
from penstock.replay.run import ReplayStep

STEP = ReplayStep(file="log.csv", file_number=1, files=2, fraction=0.5, sent=1500, skipped=0, feedback=0, rejected=2)


def draw(step: ReplayStep, *, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=200)
    with progress_bar(console) as on_progress:
        on_progress(step)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_shows_the_file_its_share_and_the_counts() -> None:
    shown = draw(STEP, terminal=True)
    assert "log.csv" in shown
    assert "25%" in shown
    assert "1,500 sent, 2 rejected" in shown


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    assert draw(STEP, terminal=False) == ""


def test_an_empty_replay_says_so() -> None:
    assert (
        describe(ReplayStep(file="", file_number=1, files=1, fraction=1.0, sent=0, skipped=0, feedback=0, rejected=0))
        == "nothing sent"
    )
