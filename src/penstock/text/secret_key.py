"""The key of a home: whoever has it can recognise a hashed user, and without it hashed ids no longer join."""

import os
import secrets
from pathlib import Path

from penstock.errors import StorageError

_KEY_BYTES = 32


def load_key(home: Path) -> bytes:
    """The key of this home, made at the first call; whoever has it can recognise a hashed user."""
    path = home / "secret.key"
    try:
        home.mkdir(parents=True, exist_ok=True)
        _create_key(path)
        key = path.read_bytes()
    except OSError as error:
        raise StorageError(f"The key {path} can be neither read nor made: {error}. Without it nothing may be stored.") from error
    if len(key) < _KEY_BYTES:
        raise StorageError(
            f"The key {path} holds {len(key)} bytes instead of {_KEY_BYTES}; restore it, or hashed ids will not join."
        )
    return key


def _create_key(path: Path) -> None:
    """Write it aside and link it into place, so that two processes that start together agree on one."""
    if path.exists():
        return
    draft = path.with_name(f"secret.key.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # with another key, what was stored before a power cut would join with nothing
    finally:
        os.close(folder)
