"""Every file of a data set's folder is measured, as rows of its own; what is missing is named."""

import csv
import gzip
import io
import json
import lzma
from pathlib import Path

import pytest
from benchmarks.signal_accuracy.figures import Section
from benchmarks.signal_accuracy.page import text_of
from benchmarks.signal_accuracy.sets import SETS

QUESTIONS = [
    ("How do I bake bread?", "How do I bake a loaf of bread?", "What flour does it need?"),
    ("How long does it rise?", "How long does bread dough rise?", "Can it rise overnight?"),
    ("Is it good for you?", "Is bread good for you?", "Which bread is the healthiest?"),
]


def rows_of(section: Section, file: str) -> list[list[tuple[str, ...]]]:
    """Of each table that has any, the rows of this file."""
    found = [[row for row in table.rows if row[0] == file] for table in section.tables]
    return [rows for rows in found if rows]


def topical(ratings: list[str]) -> bytes:
    said = [{"message": QUESTIONS[n % 3][0], "agent": f"agent_{n % 2 + 1}", "turn_rating": r} for n, r in enumerate(ratings)]
    return json.dumps({"t_1": {"content": said}, "t_2": {"content": said[::-1]}}).encode()


def cast(first: int, key: str | None = None) -> bytes:
    turns = [
        {"number": n, "raw_utterance": typed} | ({key: alone} if key else {}) for n, (typed, alone, _) in enumerate(QUESTIONS, 1)
    ]
    return json.dumps([{"number": number, "turn": turns} for number in range(first, first + 4)]).encode()


def graded(shift: int) -> bytes:
    same = [f"5\t{typed} {shift}\t{alone} {shift}" for typed, alone, _ in QUESTIONS]
    other = [f"{shift % 3}\t{typed} {shift}\t{after}" for typed, _, after in QUESTIONS]
    return "\n".join([*same, *other, "\tnot graded\tat all"]).encode()


def lay(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir()
    pack = {".xz": lzma.compress, ".gz": gzip.compress}
    for name, content in files.items():
        (folder / name).write_bytes(pack.get(Path(name).suffix, bytes)(content))


def test_topical_chat_measures_a_second_file_by_itself(tmp_path: Path) -> None:
    ratings = ["Good", "Poor", "Excellent", "Passable", "Good", ""]
    lay(tmp_path / "topical_chat", {"valid_freq.json.xz": topical(ratings), "test_rare.json": topical(ratings * 2)})
    section = SETS["topical_chat"](tmp_path)
    found, *_, by_rating = rows_of(section, "test_rare")
    assert [row[1] for row in found] == ["feedback, -0.5 or less", "feedback, -1", "retry"]
    assert {row[2] for row in found} == {"19"} and sum(int(row[2]) for row in by_rating) == 19
    assert {row[2] for row in rows_of(section, "valid_freq")[0]} == {"9"}
    assert section.missing == ()


def test_sts2016_measures_a_kind_that_it_does_not_know_whole(tmp_path: Path) -> None:
    files = {"question-question.test.tsv.xz": graded(1), "headlines.test.tsv.xz": graded(2), "plagiarism.test.tsv": graded(3)}
    lay(tmp_path / "sts2016", files)
    section = SETS["sts2016"](tmp_path)
    for name in ("headlines.test", "plagiarism.test"):
        ((retry, surely, baseline),) = rows_of(section, name)
        assert retry[1:4] == ("retry", "6", "3") and surely[1] == "retry from 0.70" and baseline[1].startswith("token_set_ratio")
    assert section.missing == ("sts2016/answer-answer.test", "sts2016/postediting.test")


def test_sts2016_without_its_questions_has_no_baseline(tmp_path: Path) -> None:
    lay(tmp_path / "sts2016", {"headlines.test.tsv.xz": graded(2)})
    (rows,) = rows_of(SETS["sts2016"](tmp_path), "headlines.test")
    assert [row[1] for row in rows] == ["retry", "retry from 0.70"]


def test_cast19_measures_a_second_year_on_all_topics_with_its_own_rewrites(tmp_path: Path) -> None:
    resolved = "\n".join(f"{number}_{n}\t{alone}" for number in range(31, 35) for n, (_, alone, _) in enumerate(QUESTIONS, 1))
    files = {
        "evaluation_topics_v1.0.json.gz": cast(31),
        "resolved_v1.0.tsv": resolved.encode(),
        "2020_topics.json.gz": cast(81, "manual_rewritten_utterance"),
        "train_topics.json": cast(1),
    }
    lay(tmp_path / "cast19", files)
    section = SETS["cast19"](tmp_path)
    assert [[row[2:4] for row in rows] for rows in rows_of(section, "2020_topics")] == [[("20", "12")] * 3] * 2
    assert [[row[2:4] for row in rows] for rows in rows_of(section, "evaluation_topics_v1.0")] == [[("10", "6")] * 3] * 2
    assert rows_of(section, "train_topics")[0][0][2:4] == ("8", "0")  # nobody rewrote these
    assert section.missing == ()
    returns = SETS["cast19:abandonment"](tmp_path)
    assert [rows_of(returns, name)[0][0][2] for name in ("2020_topics", "evaluation_topics_v1.0")] == ["8", "4"]


def test_cups_measures_a_second_file_of_telemetry(tmp_path: Path) -> None:
    events = [
        {"UserId": user, "StateName": state, "TimeGenerated": f"2022-07-21T20:45:0{second}+00:00", "CurrentSuggestion": "x = 1"}
        for user in (1, 2)
        for second, state in enumerate(("Shown", "Accepted", "Shown", "Rejected"))
    ]
    lay(tmp_path / "cups", {"more.jsonl": "\n".join(map(json.dumps, events)).encode()})
    section = SETS["cups"](tmp_path)
    rates, states = rows_of(section, "more")
    assert rates[0][1:3] == ("suggestions, pooled", "4") and [row[1:] for row in states] == [("accepted", "2"), ("rejected", "2")]
    assert section.missing == ("cups/events",)


@pytest.mark.parametrize("name", ["realhumaneval", "realhumaneval:feedback"])
def test_requests_that_nobody_labelled_are_counted_and_no_label_is_laid_on_them(tmp_path: Path, name: str) -> None:
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(("request", "programmer_id", "timestamp", "task_name"))
    for place, (typed, alone, _) in enumerate(QUESTIONS):
        for second, text in enumerate((typed, alone)):
            request = repr([{"role": "user", "content": text}])
            table.writerow((request, "7", 10.0 * place + second, "sum"))
    tasks = b"name,task_description\nsum,adds\n"
    lay(tmp_path / "realhumaneval", {"chat_data.csv.xz": out.getvalue().encode(), "tasks_data.csv.xz": tasks})
    section = SETS[name](tmp_path)
    ((counted,),) = rows_of(section, "chat_data")
    assert counted[1] == "5"
    assert [table.title for table in section.tables if table.rows] == [table.title for table in section.tables[-1:]]
    assert section.missing == ("realhumaneval/chat_data",)


@pytest.mark.parametrize("name", sorted(SETS))
def test_a_set_that_is_not_there_says_so(tmp_path: Path, name: str) -> None:
    assert f"there is no such file: `{name.partition(':')[0]}/" in text_of(name, SETS[name](tmp_path))
