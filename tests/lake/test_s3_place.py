"""A place on S3 does what a place on a disk does, and says what is wrong where it cannot."""

import errno
import pickle
from pathlib import Path

import pytest

from penstock.errors import StorageError
from penstock.lake.lake import Lake
from penstock.lake.local_place import LocalPlace
from penstock.lake.location import find_lake
from penstock.lake.place import Place
from penstock.lake.s3_place import S3Place
from penstock.settings import LakeSettings
from tests.lake.rows import make_signal
from tests.s3 import S3Server, running_s3


def test_files_are_written_read_listed_moved_and_deleted_alike(root: Place) -> None:
    folder = root / "a"
    folder.make_folder()
    for name in ("1.json", "2.json", "other.txt"):
        (folder / name).replace_durably(name.encode())
    (root / "b").make_folder()
    (folder / "1.json").move_to(root / "b" / "moved.json")
    assert sorted(file.name for file in folder.glob("*.json")) == ["2.json"]
    assert sorted(str(file).removeprefix(str(root)) for file in root.files()) == ["/a/2.json", "/a/other.txt", "/b/moved.json"]
    moved = root / "b" / "moved.json"
    assert (moved.read_bytes(), moved.size_bytes(), moved.parent) == (b"1.json", 6, root / "b")
    assert moved.is_file() and not moved.is_dir() and folder.is_dir() and not folder.is_file()
    moved.unlink()
    folder.remove_all()
    assert root.files() == [] and not moved.is_file() and not folder.is_dir()


def test_a_name_that_begins_like_another_is_another(root: Place) -> None:
    for name in ("a", "ab"):
        (root / name).make_folder()
        (root / name / "x").replace_durably(b"")
    assert [str(file) for file in (root / "a").files()] == [f"{root}/a/x"]
    (root / "a").remove_all()
    assert (root / "ab" / "x").is_file()


def test_what_is_not_there_is_an_error_of_the_same_kind_on_both(root: Place) -> None:
    nothing = root / "nothing"
    assert not nothing.is_file() and not nothing.is_dir() and nothing.files() == [] and list(nothing.glob("*")) == []
    for ask in (nothing.read_bytes, nothing.size_bytes, nothing.modified_s):
        with pytest.raises(FileNotFoundError) as raised:
            ask()
        assert raised.value.errno == errno.ENOENT and raised.value.strerror


def test_a_long_list_is_complete(s3_server: S3Server) -> None:
    root = s3_server.new_root()
    for number in range(1100):  # S3 answers a thousand at a time
        (root / f"{number:04}.json").replace_durably(b"")
    assert len(list(root.glob("*.json"))) == 1100 == len(root.files())
    root.remove_all()
    assert root.files() == []


def test_a_conditional_write_goes_through_once(s3_server: S3Server) -> None:
    place = s3_server.new_root() / "x"
    first = place.put_when(b"1", None)
    assert first is not None and place.put_when(b"2", None) is None
    second = place.put_when(b"2", first)
    assert second is not None and place.put_when(b"3", first) is None
    assert place.read_tagged() == (b"2", second)
    place.unlink()
    assert place.put_when(b"3", second) is None and place.read_tagged() is None


def test_it_can_be_sent_to_another_process_and_shows_no_secret(s3_server: S3Server) -> None:
    place = s3_server.new_root() / "x"
    place.replace_durably(b"1")
    again = pickle.loads(pickle.dumps(place))
    assert again == place and again.read_bytes() == b"1"
    assert "secret" not in repr(place) + str(place) + repr(place._bucket)


def test_a_wrong_key_is_a_storage_error_that_says_so(s3_server: S3Server) -> None:
    settings = s3_server.new_settings()
    root = find_lake(settings, Path("/nowhere"), {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "wrong"})
    with pytest.raises(StorageError, match=r"Could not create the table spans at s3://.*the key may read"):
        Lake(root, settings).create()


@pytest.mark.slow
def test_a_server_that_dies_fails_in_time_and_everything_goes_on_when_it_is_back() -> None:
    with running_s3() as server:
        root = server.new_root()
        lake = Lake(root, LakeSettings())
        lake.create()
        lake.append("signals", [make_signal(1)], transactions={"spool:a": 1})
        server.kill()
        with pytest.raises(StorageError, match="s3://"):
            lake.append("signals", [make_signal(2)], transactions={"spool:a": 2})
        with pytest.raises(StorageError, match=r"signals.*S3"):
            lake.to_records("signals", lake.current("signals"))
        server.start()
        assert lake.append("signals", [make_signal(2)], transactions={"spool:a": 2}) == 2
        assert len(lake.to_records("signals", lake.current("signals"))) == 2


def test_a_place_on_a_disk_is_a_path(tmp_path: Path) -> None:
    place = LocalPlace(tmp_path) / "a"
    assert isinstance(place, Path) and isinstance(place.parent, LocalPlace) and place == tmp_path / "a"
    assert isinstance(pickle.loads(pickle.dumps(place)), LocalPlace) and not isinstance(place, S3Place)
