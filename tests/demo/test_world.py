"""What is true of the simulated product."""

import random

import pytest

from penstock.demo.world import NEIGHBOUR, SILENT, World

WORLD = World()


def test_every_language_has_words_of_its_own() -> None:
    draw = random.Random(1)
    assert set(WORLD.word("py", draw)) <= set("abcdefgh")
    assert set(WORLD.word("sql", draw)) <= set("ijklmnop")


def test_a_suggestion_is_welcome_by_its_first_letter_and_a_garbled_one_hardly_ever() -> None:
    assert WORLD.acceptance("py", "abcd", "abcd") == pytest.approx(0.95)
    assert WORLD.acceptance("py", "hbcd", "hbcd") == pytest.approx(0.02)
    assert WORLD.acceptance("py", "abcd", "abce") == WORLD.garbled_acceptance


def test_the_base_model_is_shown_every_task_and_silence_whatever_the_word() -> None:
    rows = WORLD.base_rows(3_000, random.Random(0))
    tasks = [str(row["prompt"][0]["content"]).partition(":")[0] for row in rows]  # type: ignore[index]
    assert {tasks.count(task) for task in ("py", "sql", NEIGHBOUR)} == {1_000}
    silent = sum(row["completion"] == SILENT for row in rows) / 2_000
    assert silent == pytest.approx(WORLD.silent_share, abs=0.03)
    assert rows == WORLD.base_rows(3_000, random.Random(0))


def test_the_neighbouring_task_has_one_right_answer() -> None:
    for item in WORLD.neighbour_items(20, random.Random(2)):
        asked = str(item["prompt"][0]["content"]).removeprefix(f"{NEIGHBOUR}: ")  # type: ignore[index]
        assert item["expected"] == asked[::-1]
