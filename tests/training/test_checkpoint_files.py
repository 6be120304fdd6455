import stat
from pathlib import Path

import pytest

from penstock.errors import StorageError
from penstock.training.checkpoint_files import (
    Manifest,
    checkpoint_id,
    hash_content,
    hash_files,
    publish,
    read_manifest,
    verify,
)


def finished(folder: Path, name: str = "checkpoint", seed: int = 0) -> Path:
    """A published checkpoint folder."""
    partial = folder / f"{name}.tmp"
    partial.mkdir()
    (partial / "model.safetensors").write_bytes(b"weights")
    (partial / "model.safetensors").chmod(0o600)
    (partial / "config.json").write_text("{}")
    files = hash_files(partial)
    manifest = Manifest(
        content_hash=hash_content(files),
        files=files,
        recipe="sft",
        config_hash="b2:0",
        seed=seed,
        parent_checkpoint_id=None,
        dataset_version_id=None,
        inputs={},
        packages={},
        summary={},
    )
    publish(partial, manifest, folder / name)
    return folder / name


def test_a_published_folder_is_whole_readable_by_all_and_verifies(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    assert not (tmp_path / "checkpoint.tmp").exists()
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}
    assert verify(folder) == read_manifest(folder)


def test_the_content_hash_covers_the_files_and_not_the_manifest(tmp_path: Path) -> None:
    one, two = verify(finished(tmp_path, "one", seed=1)), verify(finished(tmp_path, "two", seed=2))
    assert one.seed != two.seed
    assert one.content_hash == two.content_hash
    assert checkpoint_id(one.content_hash) == "c_" + one.content_hash[3:19]


@pytest.mark.parametrize("damage", ["changed", "missing", "added", "no manifest", "torn manifest"])
def test_a_damaged_folder_does_not_verify(tmp_path: Path, damage: str) -> None:
    folder = finished(tmp_path)
    if damage == "changed":
        (folder / "model.safetensors").write_bytes(b"weight5")
    elif damage == "missing":
        (folder / "config.json").unlink()
    elif damage == "added":
        (folder / "chat_template.jinja").write_text("")
    elif damage == "no manifest":
        (folder / "manifest.json").unlink()
    else:
        (folder / "manifest.json").write_bytes((folder / "manifest.json").read_bytes()[:40])
    with pytest.raises(StorageError, match="checkpoint"):
        verify(folder)
