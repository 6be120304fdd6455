"""A store that fails says what failed, where, and what to do; and works again when the cause is gone."""

import errno
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from deltalake.exceptions import DeltaError

from penstock.errors import NotFoundError, StorageError
from penstock.lake.lake import Lake
from penstock.lake.storage_failure import storage_failures
from penstock.settings import LakeSettings
from tests.lake.rows import make_signal, shown


@pytest.fixture
def lake(disk_lake: Lake) -> Lake:
    """A disk that fails; for S3: test_s3_place.py."""
    return disk_lake


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "free some space"),
        (PermissionError(errno.EACCES, "Permission denied"), "write access"),
        (DeltaError("Generic LocalFileSystem error: Read-only file system (os error 30)"), "writable"),
        (DeltaError("something new"), "checks and repairs"),
    ],
)
def test_each_failure_comes_with_what_to_do(error: Exception, advice: str) -> None:
    with pytest.raises(StorageError, match=rf"Could not append to spans at /lake/spans: .*{advice}"), _failures():
        raise error


@contextmanager
def _failures() -> Iterator[None]:
    with storage_failures("append to spans", Path("/lake/spans")):
        yield


def test_our_own_errors_pass_through() -> None:
    with pytest.raises(NotFoundError, match="as it was"), _failures():
        raise NotFoundError("as it was")


@contextmanager
def _full_disk(limit_bytes: int) -> Iterator[None]:
    """No file may grow beyond a limit; what the kernel then says is a full disk's sibling."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_fails_the_append_harms_nothing_and_the_batch_goes_through_later(lake: Lake) -> None:
    lake.append("signals", [make_signal(0)])
    rows = [make_signal(number, text=str(number) * 50) for number in range(1, 200)]
    with _full_disk(1000), pytest.raises(StorageError, match=r"Could not append to signals .*free some space"):
        lake.append("signals", rows, transactions={"spool:a": 1})
    assert shown(lake) == [("s_0", 0)]
    assert lake.append("signals", rows, transactions={"spool:a": 1}) is not None
    assert len(shown(lake)) == 200


def test_a_lake_whose_folder_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"Could not create the table spans .*is a file"):
        Lake(tmp_path / "file" / "lake", LakeSettings()).create()


def test_a_table_whose_folder_is_gone_fails_and_the_others_do_not(lake: Lake) -> None:
    lake.append("signals", [make_signal(1)])
    shutil.rmtree(lake.root / "labels" / "_delta_log")
    with pytest.raises(StorageError, match=r"Could not open the table labels"):
        lake.version("labels")
    assert shown(lake) == [("s_1", 0)]


def test_a_file_that_is_gone_is_a_storage_error_when_rows_are_read(lake: Lake) -> None:
    lake.append("signals", [make_signal(1)])
    for path in (lake.root / "signals").glob("date=*/*.parquet"):
        path.unlink()
    with pytest.raises(StorageError, match="Could not read signals"):
        shown(lake)
