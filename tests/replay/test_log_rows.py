import gzip
import lzma
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from penstock.errors import BadInputError
from penstock.records.ids import digest
from penstock.replay import log_rows
from penstock.replay.log_rows import LogRow, is_log, read_rows
from penstock.replay.mapping import SourceMapping


def read(path: Path, *columns: str, after: int = 0, **source: str) -> list[LogRow]:
    return list(read_rows(path, SourceMapping(name="test", **source), frozenset(columns), after))  # type: ignore[arg-type]  # format is a Literal


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_csv_rows_are_numbered_without_their_header_and_keep_line_breaks_in_quotes(tmp_path: Path) -> None:
    rows = read(write(tmp_path / "a.csv", b'\xef\xbb\xbfa,b\r\n1,"x\r\ny"\r\n\r\n2,z\r\n'), "a", "b")
    assert [(row.number, row.values) for row in rows] == [(1, {"a": "1", "b": "x\r\ny"}), (2, {"a": "2", "b": "z"})]


def test_a_ragged_line_is_a_row_with_its_problem(tmp_path: Path) -> None:
    rows = read(write(tmp_path / "a.csv", b"a,b\n1,2,3\n4\n5,6\n"), "a")
    assert [row.problem and row.problem.split()[2] for row in rows] == ["3", "1", None]


def test_a_row_in_another_encoding_costs_only_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b"a\ngood\ncaf\xe9\nfine\n")
    assert [row.problem is None for row in read(path, "a")] == [True, False, True]
    assert read(path, "a", encoding="latin-1")[1].values == {"a": "café"}


def test_utf_16_is_named_and_read_when_the_mapping_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a\nünïcode\n".encode("utf-16"))
    with pytest.raises(BadInputError, match='encoding = "utf-16"'):
        read(path, "a")
    assert read(path, "a", encoding="utf-16")[0].values == {"a": "ünïcode"}


def test_an_empty_csv_and_one_without_a_bound_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is empty"):
        read(write(tmp_path / "a.csv", b""), "a")
    with pytest.raises(BadInputError, match="Did you mean `prompt`"):
        read(write(tmp_path / "b.csv", b"prompt,answer\n"), "promt")
    with pytest.raises(BadInputError, match="more than one column `a`"):
        read(write(tmp_path / "c.csv", b"a,a\n"), "a")


def test_a_quote_left_open_ends_the_file_with_a_hint_after_the_rows_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_rows, "MAX_ROW_BYTES", 1000)
    rows = read_rows(write(tmp_path / "a.csv", b'a,b\n1,2\n"3,' + b"x\n" * 2000), SourceMapping(name="t"), frozenset())
    assert next(rows).values == {"a": "1", "b": "2"}
    with pytest.raises(BadInputError, match="quote left open"):
        next(rows)


def test_a_huge_field_is_read_and_a_line_without_end_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(read(write(tmp_path / "a.csv", b"a,b\n1," + b"x" * 500_000 + b"\n"), "b")[0].values["b"]) == 500_000
    monkeypatch.setattr(log_rows, "MAX_ROW_BYTES", 1000)
    with pytest.raises(BadInputError, match="is it CSV"):
        read(write(tmp_path / "b.csv", b"a,b\n" + b"x" * 5000), "a")


def test_tabs_separate_a_tsv(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.tsv", b"a\tb\n1\t2\n"))[0].values == {"a": "1", "b": "2"}
    assert read(write(tmp_path / "a.csv", b"a;b\n1;2\n"), delimiter=";")[0].values == {"a": "1", "b": "2"}


def test_each_bad_json_line_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_rows, "MAX_ROW_BYTES", 1000)
    lines = [b'{"a": 1}', b'{"a": ', b"[1]", b"\xff", b"", b'"' + b"x" * 3000 + b'"', b"[" * 900, b'{"a": 2}']
    rows = read(write(tmp_path / "a.jsonl", b"\n".join(lines)))
    assert [row.number for row in rows] == [1, 2, 3, 4, 6, 7, 8]
    reasons = [row.problem or "fine" for row in rows]
    expected = ["fine", "not JSON", "JSON list", "not utf-8", "longer than", "not JSON", "fine"]
    assert all(word in reason for word, reason in zip(expected, reasons, strict=True)), reasons


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_a_packed_log_cut_short_gives_its_good_rows_first(tmp_path: Path, suffix: str, pack: type[bytes]) -> None:
    content = b"".join(b'{"a": %d, "noise": "%s"}\n' % (number, digest(str(number)).encode()) for number in range(20_000))
    path = write(tmp_path / f"a.jsonl{suffix}", pack(content)[:-2000])
    seen = 0
    with pytest.raises(BadInputError, match="cut short"):
        for row in read_rows(path, SourceMapping(name="t"), frozenset()):
            seen += 1
            assert row.values["a"] == seen - 1
    assert seen > 19_000


def test_parquet_is_read_by_row_groups_and_passes_over_those_that_are_done(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"a": list(range(10)), "b": [[{"x": 1}]] * 10}), path, row_group_size=3)
    rows = read(path, "a", after=7)
    assert [(row.number, row.values["a"]) for row in rows] == [(8, 7), (9, 8), (10, 9)]
    assert rows[0].values["b"] == [{"x": 1}]
    assert rows[-1].fraction == 1.0


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be read as Parquet"):
        read(write(tmp_path / "a.parquet", b"PAR1 but not really"), "a")
    with pytest.raises(BadInputError, match="unpack it first"):
        read(write(tmp_path / "a.parquet.gz", gzip.compress(b"PAR1")), "a")


def test_the_format_is_known_by_name_or_said(tmp_path: Path) -> None:
    assert is_log(Path("a.csv.xz"))
    assert not is_log(Path("a.txt"))
    path = write(tmp_path / "a.log", b'{"a": 1}\n')
    with pytest.raises(BadInputError, match="say format"):
        read(path)
    assert read(path, format="jsonl")[0].values == {"a": 1}
