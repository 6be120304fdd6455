from io import StringIO

from rich.console import Console

from penstock.demo.narration import Narration


def test_a_stage_is_one_line_with_its_ids_and_its_time_and_markup_is_text() -> None:
    out = StringIO()
    narration = Narration(Console(file=out, soft_wrap=True))
    narration.headline("turn 1")
    narration.stage("release", "r_1 [bold]refused[/bold]", 1.25)
    lines = out.getvalue().splitlines()
    assert lines[-1] == "  release     r_1 [bold]refused[/bold]  (1.2 s)"
    assert "0:00  turn 1" in lines[-2]


def test_where_nobody_watches_there_is_no_bar() -> None:
    out = StringIO()
    with Narration(Console(file=out)).bar("users type", 10) as on_progress:
        on_progress(5)
    assert out.getvalue().strip() == ""
