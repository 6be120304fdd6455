from pathlib import Path

import pytest

from penstock.errors import NotFoundError
from penstock.serving.allowed_folders import AllowedFolders


def checkpoint(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def test_a_folder_under_an_allowed_directory_is_found_by_its_name(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "allowed" / "c_1")
    folders = AllowedFolders([tmp_path / "other", tmp_path / "allowed"])
    assert folders.find("c_1") == folder
    assert folders.names() == ["c_1"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../secret",
        "c_1/../../secret",
        "/etc",
        "..\\secret",
        "c_1/",
        "c_1\0",
        "%2e%2e",
        "c_1\n",
        "nested/c_2",
        "a" * 500,
    ],
)
def test_no_other_name_leads_anywhere(tmp_path: Path, name: str) -> None:
    checkpoint(tmp_path / "secret")
    checkpoint(tmp_path / "allowed" / "c_1")
    checkpoint(tmp_path / "allowed" / "nested" / "c_2")
    with pytest.raises(NotFoundError):
        AllowedFolders([tmp_path / "allowed"]).find(name)


def test_a_link_out_of_the_allowed_directory_is_not_followed(tmp_path: Path) -> None:
    checkpoint(tmp_path / "secret")
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "c_1").symlink_to(tmp_path / "secret")
    folders = AllowedFolders([tmp_path / "allowed"])
    with pytest.raises(NotFoundError):
        folders.find("c_1")
    assert folders.names() == []


def test_a_file_that_links_out_makes_its_folder_unservable(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "allowed" / "c_1")
    (tmp_path / "secret").write_text("secret")
    (folder / "chat_template.jinja").symlink_to(tmp_path / "secret")
    with pytest.raises(NotFoundError):
        AllowedFolders([tmp_path / "allowed"]).find("c_1")


def test_a_link_within_the_allowed_directory_is_fine(tmp_path: Path) -> None:
    checkpoint(tmp_path / "allowed" / "c_1")
    (tmp_path / "allowed" / "newest").symlink_to("c_1")
    assert AllowedFolders([tmp_path / "allowed"]).names() == ["c_1", "newest"]


def test_what_is_being_written_or_is_no_checkpoint_is_not_served(tmp_path: Path) -> None:
    checkpoint(tmp_path / "c_1.tmp")
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").write_text("")
    folders = AllowedFolders([tmp_path, tmp_path / "missing"])
    assert folders.names() == []
    with pytest.raises(NotFoundError):
        folders.find("c_1.tmp")
