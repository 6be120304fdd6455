import gzip
import json
import lzma
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from penstock.errors import BadInputError, ConfigurationError, UpstreamError
from penstock.replay.mapping import RowMapping, load_mapping
from penstock.replay.row_reader import mapped_rows
from penstock.replay.run import ReplayReport, ReplayStep, find_files, replay_files
from penstock.replay.sender import Patience
from tests.replay.examples import MAPPING, small_mapping, small_rows, write_jsonl
from tests.replay.receiver import Receiver
from tests.replay.test_otlp_bodies import logs, traces

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY.parent / "shared"
QUICK = Patience(first_pause_s=0.01, longest_pause_s=0.02, give_up_after_s=0.2, never_answered_after_s=0.05)


def replay(receiver: Receiver, home: Path, *paths: Path, mapping: RowMapping | None = None, **options: Any) -> ReplayReport:
    return replay_files(
        paths,
        edge_url=receiver.url,
        api_key=None,
        reader=mapped_rows(mapping) if mapping else None,
        home=home,
        patience=QUICK,
        **options,
    )


def test_every_row_and_its_feedback_arrive_and_a_second_replay_sends_nothing(
    receiver: Receiver, home: Path, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "log.jsonl", small_rows(250))
    report = replay(receiver, home, path, mapping=small_mapping())
    assert (report.sent, report.feedback, report.skipped, report.rejected) == (250, 125, 0, ())
    assert len({span.span_id for span in receiver.spans()}) == 250
    assert len({item["idempotency_key"] for item in receiver.feedback}) == 125
    requests = receiver.requests
    again = replay(receiver, home, path, mapping=small_mapping())
    assert (again.sent, again.skipped, receiver.requests) == (0, 250, requests)


def test_a_restart_sends_the_same_ids_again(receiver: Receiver, home: Path, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "log.jsonl", small_rows(20))
    replay(receiver, home, path, mapping=small_mapping())
    assert replay(receiver, home, path, mapping=small_mapping(), restart=True).sent == 20
    assert set(Counter(span.span_id for span in receiver.spans()).values()) == {2}
    assert set(Counter(item["idempotency_key"] for item in receiver.feedback).values()) == {2}


def test_every_format_and_packing_carries_the_same_rows(receiver: Receiver, home: Path, tmp_path: Path) -> None:
    rows = small_rows(5)
    jsonl = write_jsonl(tmp_path / "log.jsonl", rows).read_bytes()
    table = pyarrow.Table.from_pylist(rows)
    csv = "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]).encode()
    for name, content in {"a.jsonl.gz": gzip.compress(jsonl), "b.csv": csv, "c.csv.xz": lzma.compress(csv)}.items():
        (tmp_path / name).write_bytes(content)
    pyarrow.parquet.write_table(table, tmp_path / "d.parquet")
    report = replay(receiver, home, tmp_path, mapping=small_mapping())
    assert (report.files, report.sent, report.rejected) == (5, 25, ())
    prompts = Counter(span.attributes[-2].value.string_value for span in receiver.spans())
    assert set(prompts.values()) == {5}


def test_a_packed_copy_of_a_file_is_the_same_file(receiver: Receiver, home: Path, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "log.jsonl", small_rows(5))
    replay(receiver, home, path, mapping=small_mapping())
    packed = tmp_path / "log.jsonl.xz"
    packed.write_bytes(lzma.compress(path.read_bytes()))
    replay(receiver, home, packed, mapping=small_mapping())
    assert len({span.span_id for span in receiver.spans()}) == 5


def test_bad_rows_are_recorded_with_number_and_reason_and_cost_no_other(receiver: Receiver, home: Path, tmp_path: Path) -> None:
    rows = small_rows(5)
    rows[1]["at"] = "yesterday"
    rows[3]["thumb"] = float("nan")
    report = replay(receiver, home, write_jsonl(tmp_path / "log.jsonl", rows), mapping=small_mapping())
    assert report.sent == 3
    assert [(reject.row, reject.reason.split(":")[0]) for reject in report.rejected] == [(2, "started_at"), (4, "feedback.value")]
    (rejects,) = report.rejects_files
    assert [json.loads(line)["row"] for line in Path(rejects).read_text().splitlines()] == [2, 4]
    assert "yesterday" not in Path(rejects).read_text()


def test_a_row_that_the_edge_refuses_is_found_and_costs_no_other(receiver: Receiver, home: Path, tmp_path: Path) -> None:
    receiver.misbehave = lambda _number, path, body: (
        (400, b"poison", {}) if path == "/v1/traces" and b"device 3?" in body else None
    )
    report = replay(receiver, home, write_jsonl(tmp_path / "log.jsonl", small_rows(6)), mapping=small_mapping())
    assert report.sent == 5
    assert [(reject.row, "poison" in reject.reason) for reject in report.rejected] == [(4, True)]


def test_feedback_that_the_edge_refuses_is_recorded_with_its_row(receiver: Receiver, home: Path, tmp_path: Path) -> None:
    body = b'{"accepted": 1, "feedback_ids": ["f"], "rejected": [{"index": 1, "error": "no"}]}'
    receiver.misbehave = lambda _number, path, _body: (200, body, {}) if path == "/v1/feedback" else None
    report = replay(receiver, home, write_jsonl(tmp_path / "log.jsonl", small_rows(4)), mapping=small_mapping())
    assert (report.sent, report.feedback) == (4, 1)
    assert [(reject.row, reject.reason) for reject in report.rejected] == [(4, "its feedback: no")]


def test_a_request_of_reports_that_is_refused_as_a_whole_is_sent_row_by_row(
    receiver: Receiver, home: Path, tmp_path: Path
) -> None:
    mapping = small_mapping(
        '[source]\nname = "a"\n[[feedback]]\nname = "note"\nsession_id = { column = "who" }\n'
        'text = { column = "question" }\noccurred_at = { column = "at" }\n'
    )
    receiver.misbehave = lambda _number, _path, body: (413, b"too large", {}) if b"device 3?" in body else None
    report = replay(receiver, home, write_jsonl(tmp_path / "log.jsonl", small_rows(6)), mapping=mapping)
    assert report.feedback == 5
    assert [(reject.row, "too large" in reject.reason) for reject in report.rejected] == [(4, True)]


def test_a_file_cut_short_gives_its_good_rows_and_the_next_file_follows(receiver: Receiver, home: Path, tmp_path: Path) -> None:
    content = write_jsonl(tmp_path / "source", small_rows(3000)).read_bytes()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(content)[:-100])
    write_jsonl(tmp_path / "b.jsonl", small_rows(2))
    report = replay(receiver, home, tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl", mapping=small_mapping())
    assert report.sent > 2000
    assert [(reject.row, "cut short" in reject.reason) for reject in report.rejected] == [(None, True)]


def test_a_busy_edge_is_waited_for_and_the_progress_says_so(receiver: Receiver, home: Path, tmp_path: Path) -> None:
    receiver.misbehave = lambda number, _path, _body: (503, b"full", {"Retry-After": "0"}) if number < 3 else None
    steps: list[ReplayStep] = []
    report = replay(
        receiver, home, write_jsonl(tmp_path / "log.jsonl", small_rows(10)), mapping=small_mapping(), on_progress=steps.append
    )
    assert report.sent == 10
    assert any(step.waiting and "503" in step.waiting for step in steps)
    assert (steps[-1].fraction, steps[-1].sent, steps[-1].waiting) == (1.0, 10, None)


def test_a_replay_that_gives_up_resumes_behind_what_was_acknowledged(receiver: Receiver, home: Path, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "log.jsonl", small_rows(1000))
    receiver.misbehave = lambda number, _path, _body: (503, b"full", {}) if number > 8 else None
    with pytest.raises(UpstreamError, match="resumes"):
        replay(receiver, home, path, mapping=small_mapping())
    receiver.misbehave = lambda *_: None
    report = replay(receiver, home, path, mapping=small_mapping())
    assert report.skipped > 0
    assert report.sent + report.skipped == 1000
    assert len({span.span_id for span in receiver.spans()}) == 1000
    assert len({item["idempotency_key"] for item in receiver.feedback}) == 500


def test_a_replay_killed_in_the_middle_loses_no_row(receiver: Receiver, home: Path, tmp_path: Path) -> None:
    rows = small_rows(1500)
    rows[10]["at"] = "never"
    path = write_jsonl(tmp_path / "log.jsonl", rows)
    (tmp_path / "mapping.toml").write_text(MAPPING)
    program = (
        "import sys; from pathlib import Path\n"
        "from penstock.replay.mapping import load_mapping; from penstock.replay.run import replay_files\n"
        "from penstock.replay.row_reader import mapped_rows\n"
        "file, url, mapping, home = sys.argv[1:]\n"
        "reader = mapped_rows(load_mapping(Path(mapping)))\n"
        "replay_files([Path(file)], edge_url=url, api_key=None, reader=reader, home=Path(home))"
    )
    arguments = [sys.executable, "-c", program, str(path), receiver.url, str(tmp_path / "mapping.toml"), str(home)]
    victims: list[subprocess.Popen[bytes]] = []

    def kill_at_twelve(number: int, _path: str, _body: bytes) -> None:
        if number == 12:
            os.kill(victims[0].pid, signal.SIGKILL)

    receiver.misbehave = kill_at_twelve
    victims.append(subprocess.Popen(arguments))
    assert victims[0].wait() == -signal.SIGKILL
    receiver.misbehave = lambda *_: None
    report = replay(receiver, home, path, mapping=small_mapping())
    assert report.sent + report.skipped == 1499
    assert 0 < report.skipped < 1499
    assert len({span.span_id for span in receiver.spans()}) == 1499
    (rejects,) = report.rejects_files
    assert [json.loads(line)["row"] for line in Path(rejects).read_text().splitlines()] == [11]


def test_a_bound_column_that_no_row_has_is_told(receiver: Receiver, home: Path, tmp_path: Path) -> None:
    mapping = small_mapping(MAPPING.replace('column = "who"', 'column = "whom"'))
    report = replay(receiver, home, write_jsonl(tmp_path / "log.jsonl", small_rows(2)), mapping=mapping)
    assert report.unused_columns == ("whom",)


def test_bodies_are_sent_as_they_are_and_a_bad_one_costs_no_other(receiver: Receiver, home: Path, tmp_path: Path) -> None:
    (tmp_path / "v1_traces.01.pb").write_bytes(traces())
    (tmp_path / "v1_traces.02.pb.gz").write_bytes(gzip.compress(traces()[:-4]))
    (tmp_path / "v1_logs.01.pb").write_bytes(logs())
    (tmp_path / "scores.json").write_bytes(b"[]")
    report = replay(receiver, home, tmp_path)
    assert (report.files, report.sent) == (4, 2)
    assert [Path(reject.file).name for reject in report.rejected] == ["scores.json", "v1_traces.02.pb.gz"]
    assert sorted((path, body) for path, _, body in receiver.bodies) == [("/v1/logs", logs()), ("/v1/traces", traces())]
    assert replay(receiver, home, tmp_path).skipped == 2


def test_a_key_is_sent_with_every_request(receiver: Receiver, home: Path, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "log.jsonl", small_rows(2))
    replay_files([path], edge_url=receiver.url, api_key="pk_secret", reader=mapped_rows(small_mapping()), home=home)
    assert receiver.keys == {"Bearer pk_secret"}


def test_paths_that_hold_nothing_to_replay_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    with pytest.raises(BadInputError, match="There is no file"):
        find_files([tmp_path / "none"], None)
    with pytest.raises(BadInputError, match="holds no OTLP body"):
        find_files([tmp_path], None)
    with pytest.raises(BadInputError, match="needs --mapping"):
        find_files([tmp_path / "a.csv"], None)


def test_an_edge_that_is_not_there_is_told(home: Path, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "log.jsonl", small_rows(2))
    with pytest.raises(ConfigurationError, match="penstock up"):
        replay_files(
            [path], edge_url="http://127.0.0.1:9", api_key=None, reader=mapped_rows(small_mapping()), home=home, patience=QUICK
        )


@pytest.mark.skipif(
    not (SHARED / "data" / "realhumaneval").is_dir(), reason="the data set realhumaneval is not beside the repository"
)
def test_the_example_gives_the_published_copy_rates(receiver: Receiver, home: Path) -> None:
    mapping = load_mapping(REPOSITORY / "examples" / "realhumaneval.toml")
    report = replay(receiver, home, SHARED / "data" / "realhumaneval" / "chat_data.csv.xz", mapping=mapping)
    assert (report.sent, report.feedback, report.rejected) == (1055, 362, ())
    models = {
        span.span_id.hex(): next(item.value.string_value for item in span.attributes if item.key == "gen_ai.request.model")
        for span in receiver.spans()
    }
    assert len(models) == 1055
    copied = Counter(models[item["span_id"]] for item in receiver.feedback)
    asked = Counter(models.values())
    assert {model: round(copied[model] / asked[model], 3) for model in asked} == {
        "GPT-4o": 0.375,
        "GPT-3.5": 0.367,
        "CodeLlama-7b": 0.333,
        "CodeLlama-34b": 0.282,
    }


@pytest.mark.skipif(not (SHARED / "otlp").is_dir(), reason="the captured OTLP bodies are not beside the repository")
def test_captured_bodies_of_the_newest_convention_replay_without_a_reject(receiver: Receiver, home: Path) -> None:
    folders = sorted(path for pattern in ("genai_openai-*", "grpc_*", "util_genai-*") for path in (SHARED / "otlp").glob(pattern))
    report = replay(receiver, home, *folders)
    assert report.rejected == ()
    assert report.sent == report.files == sum(1 for folder in folders for _ in folder.glob("*.pb"))
    assert {path for path, _, _ in receiver.bodies} == {"/v1/traces", "/v1/logs"}
