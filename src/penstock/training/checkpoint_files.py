"""A checkpoint on disk: a folder that appears whole or not at all, with a manifest that names the hash of every file.

The content hash covers weights, tokenizer and configuration, never the manifest, a path or a time.
"""

import hashlib
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from penstock.errors import StorageError
from penstock.records.ids import content_hash

MANIFEST = "manifest.json"
_CHUNK_BYTES = 1 << 20


class Manifest(Struct, frozen=True, kw_only=True):
    """What a checkpoint is made of, and from."""

    content_hash: str
    files: dict[str, str]  # name -> hash
    recipe: str
    config_hash: str
    seed: int
    parent_checkpoint_id: str | None
    dataset_version_id: str | None
    inputs: dict[str, str]  # data file -> hash
    packages: dict[str, str]
    summary: dict[str, float | int | str | None]  # what the recipe has to say: rows used and dropped, why it stopped
    format: int = 1


def hash_file(path: Path) -> str:
    """The tagged hash of one file."""
    hasher = hashlib.blake2b(digest_size=20)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            hasher.update(chunk)
    return "b2:" + hasher.hexdigest()


def hash_files(folder: Path) -> dict[str, str]:
    """The hash of every file in a checkpoint folder but the manifest."""
    return {path.name: hash_file(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != MANIFEST}


def hash_content(files: dict[str, str]) -> str:
    """One hash over all files."""
    return content_hash("".join(f"{name}\0{digest}\n" for name, digest in sorted(files.items())).encode())


def checkpoint_id(digest: str) -> str:
    """The id of the checkpoint with this content hash."""
    return "c_" + digest.removeprefix("b2:")[:16]


def publish(partial: Path, manifest: Manifest, out: Path) -> None:
    """Make a finished folder appear under its name: readable by all, on disk, the manifest written last."""
    for path in partial.iterdir():
        path.chmod(0o644)
        _sync(path)
    target = partial / MANIFEST
    target.write_bytes(msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=1) + b"\n")
    target.chmod(0o644)
    _sync(target)
    partial.chmod(0o755)
    _sync(partial)
    partial.rename(out)
    _sync(out.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest, or None where the folder has none that can be read."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None


def verify(folder: Path) -> Manifest:
    """The manifest of a folder whose every file is as the manifest says. Raises StorageError."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise StorageError(f"{folder} has no readable {MANIFEST}; it is no finished checkpoint.")
    found = hash_files(folder)
    wrong = sorted(name for name in manifest.files.keys() | found.keys() if manifest.files.get(name) != found.get(name))
    if wrong or hash_content(found) != manifest.content_hash:
        raise StorageError(
            f"{folder} is not what its manifest says: {', '.join(wrong) or 'content hash'} differ. Train or copy it again."
        )
    return manifest
