import gzip
import lzma
from pathlib import Path

import pytest

from penstock.errors import BadInputError
from penstock.replay.compressed import open_unpacked, plain_name


@pytest.mark.parametrize(("name", "pack"), [("a.csv", bytes), ("a.csv.gz", gzip.compress), ("a.csv.xz", lzma.compress)])
def test_packing_changes_neither_the_content_nor_the_plain_name(tmp_path: Path, name: str, pack: type[bytes]) -> None:
    path = tmp_path / name
    path.write_bytes(pack(b"hello"))
    with open_unpacked(path) as file:
        assert file.stream.read() == b"hello"
        assert file.fraction == 1.0
    assert plain_name(path) == "a.csv"


@pytest.mark.parametrize(("name", "pack"), [("a.gz", gzip.compress), ("a.xz", lzma.compress)])
def test_an_archive_cut_short_and_one_that_is_none_are_told_apart(tmp_path: Path, name: str, pack: type[bytes]) -> None:
    path = tmp_path / name
    path.write_bytes(pack(bytes(range(256)) * 100)[:-9])
    with pytest.raises(BadInputError, match="cut short"), open_unpacked(path) as file:
        file.stream.read()
    path.write_bytes(b"this is no archive at all")
    with pytest.raises(BadInputError, match="damaged, or not packed"), open_unpacked(path) as file:
        file.stream.read()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"none\.csv cannot be read"), open_unpacked(tmp_path / "none.csv"):
        pass
