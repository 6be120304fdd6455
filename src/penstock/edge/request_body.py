"""Reading a request's body, counted while it is read and while it is inflated: no sender decides how much memory it takes.

A gzip bomb costs its limit and no more; inflating gives way to other requests after every slice.
"""

import asyncio
import zlib

from starlette.types import Message, Receive

from penstock.edge.refusal import ClientGoneError, RefusedError

Headers = list[tuple[bytes, bytes]]

_SLICE_BYTES = 1024 * 1024
_MAX_GZIP_MEMBERS = 1000
_GZIP_WINDOW = 31  # zlib's way to say: a gzip header and no other


def find_header(headers: Headers, name: bytes) -> str:
    """The value of the first header of this lower-case name, or an empty string."""
    for found, value in headers:
        if found == name:
            return value.decode("latin-1").strip()
    return ""


def media_type(headers: Headers) -> str:
    """The Content-Type in lower case, without parameters."""
    return find_header(headers, b"content-type").partition(";")[0].strip().lower()


async def read_body(headers: Headers, receive: Receive, max_bytes: int) -> bytes:
    """The whole body, inflated where it is gzip. Raises RefusedError (400, 413, 415) or ClientGoneError."""
    encoding = find_header(headers, b"content-encoding").lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise RefusedError(415, f"Content-Encoding {encoding!r} is not supported; send gzip or none.")
    declared = find_header(headers, b"content-length")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    if encoding in ("", "identity"):
        return await _read_plain(receive, max_bytes)
    return await _read_gzip(receive, max_bytes)


async def _read_plain(receive: Receive, max_bytes: int) -> bytes:
    message = await _next_part(receive)
    first: bytes = message.get("body", b"")
    if len(first) > max_bytes:
        raise _too_large(max_bytes)
    if not message.get("more_body", False):
        return first
    parts, size = [first], len(first)
    while message.get("more_body", False):
        message = await _next_part(receive)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > max_bytes:
            raise _too_large(max_bytes)
    return b"".join(parts)


async def _read_gzip(receive: Receive, max_bytes: int) -> bytes:
    inflater = _Inflater(max_bytes)
    compressed = 0
    more = True
    while more:
        message = await _next_part(receive)
        part = message.get("body", b"")
        compressed += len(part)
        if compressed > max_bytes:
            raise _too_large(max_bytes)
        await inflater.feed(part)
        more = message.get("more_body", False)
    return inflater.finish()


class _Inflater:
    """One gzip body: any number of members, as the format allows."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._members = 0
        self._member: zlib._Decompress | None = None

    async def feed(self, data: bytes) -> None:
        while data:
            if self._member is None and self._members and not data.strip(b"\0"):
                return  # padding after the last member
            data = self._inflate_slice(self._member or self._begin_member(), data)
            if data:
                await asyncio.sleep(0)

    def finish(self) -> bytes:
        if self._member is not None:
            # A full slice may have left output behind although all input was in.
            self._inflate_slice(self._member, b"")
        if self._member is not None:
            raise RefusedError(400, "The gzip body is cut off before its end.")
        return b"".join(self._parts)

    def _begin_member(self) -> "zlib._Decompress":
        self._members += 1
        if self._members > _MAX_GZIP_MEMBERS:
            raise RefusedError(400, f"The gzip body has more than {_MAX_GZIP_MEMBERS} members.")
        self._member = zlib.decompressobj(wbits=_GZIP_WINDOW)
        return self._member

    def _inflate_slice(self, member: "zlib._Decompress", data: bytes) -> bytes:
        """Inflate at most one slice; gives the input that is left."""
        try:
            inflated = member.decompress(data, _SLICE_BYTES)
        except zlib.error as error:
            raise RefusedError(400, f"The body is not valid gzip: {error}.") from error
        self._keep(inflated)
        if not member.eof:
            return member.unconsumed_tail
        self._member = None
        return member.unused_data

    def _keep(self, inflated: bytes) -> None:
        self._size += len(inflated)
        if self._size > self._max_bytes:
            raise _too_large(self._max_bytes)
        self._parts.append(inflated)


async def _next_part(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGoneError("The client closed its connection while it sent its request.")
    return message


def _too_large(max_bytes: int) -> RefusedError:
    return RefusedError(413, f"The body is larger than {max_bytes} bytes, as sent or inflated; send less at once.")
