"""Redaction: personal data and secrets become typed, numbered placeholders, ids become keyed hashes.

It fails closed: a text that cannot be redacted is dropped. JSON stays valid JSON, because only its strings are touched.
Redacting twice changes nothing, because it goes on until a pass finds nothing and no placeholder looks personal.
"""

import hmac
import ipaddress
import os
import secrets
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from penstock.errors import StorageError
from penstock.text.disguise import unfold
from penstock.text.json_text import map_json_strings
from penstock.text.patterns import ANYTHING, IN_ORDER, SEPARATOR, Pattern, compile_pattern
from penstock.text.personal_numbers import Found, find_personal_numbers

FAILED = "[REDACTION_FAILED]"

_MOST_PASSES = 8
_PLACEHOLDER_NUMBERS = 10_000  # four digits are never a phone number
_KEY_BYTES = 32
_AFTER_DIGITS = (b"@", b"%", b"+", b"_", b"'")


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


class Redactor:
    """Masks texts and hashes ids with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._anything = compile_pattern(ANYTHING)
        self._in_order = [compile_pattern(pattern) for pattern in IN_ORDER]

    def hash_id(self, value: str, kind: str) -> str:
        """A keyed hash that is the same wherever the same id of this kind turns up."""
        mac = hmac.digest(self._key, f"{kind}\0{value}".encode("utf-8", "replace"), "sha256")
        return f"{kind[:1]}_{mac.hex()[:24]}"

    def redact_id(self, value: str, kind: str) -> str:
        """The id itself, or its keyed hash where it holds something personal: unlike a placeholder, that still joins."""
        return self.hash_id(value, kind) if self.redact(value, "")[1] else value

    def find_suspects(self, texts: Sequence[bytes]) -> list[int]:
        """Which of these UTF-8 texts, plain or JSON, may hold something; all the others surely do not."""
        whole = SEPARATOR.join(texts)
        starts = [0, *accumulate(len(text) + 1 for text in texts)]
        suspects: list[int] = []
        search, position = self._anything.search, 0
        while position < len(whole) and (match := search(whole, position)) is not None:
            found, position = _examine(match, whole)
            if not found and not _may_begin_address(match, whole):
                continue
            # A match may begin on the separator before its text, and a credential's name may stand in the text before.
            last = bisect_right(starts, match.end() - 1) - 1
            first = min(bisect_right(starts, match.start() + 1) - 1, last)
            suspects.extend(index for index in range(first, last + 1) if not suspects or index > suspects[-1])
            position = starts[last + 1] - 1
        return suspects

    def redact(self, text: str | None, session: str) -> tuple[str | None, dict[str, int]]:
        """The text with what is personal masked, and how often each kind was."""
        if text is None:
            return None, {}
        try:
            return self._redact(text, session)
        except Exception:  # noqa: BLE001 - fails closed: whatever went wrong, the text must not be written
            return FAILED, {"failed": 1}

    def _redact(self, text: str, session: str) -> tuple[str, dict[str, int]]:
        data = text.encode("utf-8", "replace")
        if self._anything.search(data) is None:
            return (text if data.isascii() else data.decode()), {}
        counts: Counter[str] = Counter()
        mapped = map_json_strings(text, lambda leaf: self._redact_plain(leaf, session, counts))
        return (mapped if mapped is not None else self._redact_plain(text, session, counts)), dict(counts)

    def _redact_plain(self, text: str, session: str, counts: Counter[str]) -> str:
        data = text.encode("utf-8", "replace")
        if self._anything.search(data) is None:
            return data.decode()
        masked = self._mask(data, session, counts)
        unfolded = unfold(masked)
        if unfolded != masked:
            found: Counter[str] = Counter()
            again = self._mask(unfolded, session, found)
            if found:
                counts.update(found)
                masked = again
        return masked.decode("utf-8", "replace")

    def _mask(self, data: bytes, session: str, counts: Counter[str]) -> bytes:
        """Mask until nothing is found: a placeholder ends a word, which can lay bare what stood against it."""
        for _ in range(_MOST_PASSES):
            before = data
            for pattern in self._in_order:
                data = self._mask_with(pattern, data, session, counts)
            if data == before or not self.find_suspects([data]):
                return data
        raise RuntimeError("masking did not come to an end")

    def _mask_with(self, pattern: Pattern, data: bytes, session: str, counts: Counter[str]) -> bytes:
        pieces: list[bytes] = []
        done = position = 0
        while position <= len(data) and (match := pattern.search(data, position)) is not None:
            found, position = _examine(match, data)
            for start, end, kind in found:
                pieces += data[done:start], self._placeholder(kind, data[start:end], session)
                done = end
                counts[kind] += 1
        return b"".join([*pieces, data[done:]]) if pieces else data

    def _placeholder(self, kind: str, value: bytes, session: str) -> bytes:
        """Typed and numbered; the number is the same for the same value in the same session, and tells nothing of it."""
        same = bytes(byte for byte in value if chr(byte).isalnum()) if kind in ("phone", "card") else value.lower()
        message = b"\0".join((session.encode("utf-8", "replace"), kind.encode(), same))
        number = int.from_bytes(hmac.digest(self._key, message, "sha256")[:8], "big") % _PLACEHOLDER_NUMBERS
        return f"[{kind.upper()}_{number}]".encode()


def _examine(match: Any, data: bytes) -> tuple[list[Found], int]:
    """What a proposal really holds, and where to go on: after it, or just inside it where it was refused."""
    name = match.lastgroup.decode()
    start, end = match.span(match.lastindex)
    value = data[start:end]
    joined_after = data[end : end + 1].isalnum()
    if name == "number":
        numbers = find_personal_numbers(value, joined_after=joined_after)
        # The last digit is looked at again: with what follows, it may be the beginning of a disguise.
        return [Found(start + found.start, start + found.end, found.kind) for found in numbers], end if numbers else end - 1
    if name in ("ipv4", "ipv6"):
        is_address = not joined_after and _is_address(value, data[end : end + 2])
        return ([Found(start, end, "ip")], end) if is_address else ([], start + 1)
    if name in ("assigned", "bearer"):
        return ([Found(start, end, "secret")], end) if _looks_random(value) else ([], start - 1)
    return [Found(start, end, "secret" if name in ("secret", "login") else name)], end


def _may_begin_address(match: Any, data: bytes) -> bool:
    """Whether a run of digits goes on as the local part of an e-mail address does."""
    after = data[match.end() : match.end() + 2]
    return match.lastgroup == b"number" and (after[:1] in _AFTER_DIGITS or (after[:1] in (b".", b"-") and after[1:].isalnum()))


def _is_address(value: bytes, after: bytes) -> bool:
    """A number that goes on is a version or an object id; `a::b` is more often code than an address."""
    if after[:1] == b"." and after[1:].isdigit():
        return False
    digits = sum(chr(byte).isalnum() for byte in value)
    if b":" in value and (digits < 4 or not any(chr(byte).isdigit() for byte in value)):
        return False
    try:
        ipaddress.ip_address(value.decode())
    except ValueError:
        return False
    return True


def _looks_random(value: bytes) -> bool:
    """A credential has digits and letters; `password = read_password()` has not."""
    return any(chr(byte).isdigit() for byte in value) and any(chr(byte).isalpha() for byte in value)
