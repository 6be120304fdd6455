from pathlib import Path

import pytest

from penstock.errors import StorageError
from penstock.replay.progress import Progress, ProgressFile, Rejected, progress_key


def reject(row: int) -> Rejected:
    return Rejected(file="a.csv", row=row, reason="bad")


def test_progress_is_kept_and_forgotten_on_demand(tmp_path: Path) -> None:
    file = ProgressFile(tmp_path / "replay", "k", "a.csv")
    assert file.load(restart=False) == Progress(file="a.csv")
    file.save(Progress(file="a.csv", rows=5, sent=4, rejected=1), [reject(2)])
    assert ProgressFile(tmp_path / "replay", "k", "a.csv").load(restart=False).rows == 5
    assert file.load(restart=True).rows == 0
    assert not file.rejects_path.exists()


def test_rejects_that_the_progress_does_not_cover_come_again_and_so_are_dropped(tmp_path: Path) -> None:
    file = ProgressFile(tmp_path, "k", "a.csv")
    file.save(Progress(file="a.csv", rows=5, rejected=1), [reject(2)])
    with file.rejects_path.open("ab") as rejects:
        rejects.write(b'{"file":"a.csv","row":7,"reason":"bad"}\n{"file":"a.csv","row":8,"rea')
    file.load(restart=False)
    assert file.rejects_path.read_text().splitlines() == ['{"file":"a.csv","row":2,"reason":"bad"}']


def test_a_damaged_progress_file_says_what_to_do(tmp_path: Path) -> None:
    file = ProgressFile(tmp_path, "k", "a.csv")
    file.path.write_text("{torn")
    with pytest.raises(StorageError, match="--restart"):
        file.load(restart=False)


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "replay").write_text("a file where a folder should be")
    with pytest.raises(StorageError, match="cannot be read"):
        ProgressFile(tmp_path / "replay", "k", "a.csv").load(restart=False)


def test_a_replay_is_named_by_content_mapping_and_edge_not_by_place(tmp_path: Path) -> None:
    for name, content in (("a.csv", b"1"), ("b.csv", b"1"), ("c.csv", b"2")):
        (tmp_path / name).write_bytes(content)
    keys = {name: progress_key(tmp_path / name, "m", "e") for name in ("a.csv", "b.csv", "c.csv")}
    assert keys["a.csv"] == keys["b.csv"] != keys["c.csv"]
    assert len({keys["a.csv"], progress_key(tmp_path / "a.csv", "m2", "e"), progress_key(tmp_path / "a.csv", "m", "e2")}) == 3
