"""GET /beacon.js: the script by which a web page reports what its readers do.

It is public, and small: what is served is beacon.js without comments and white space, names and all else as they are written.
"""

import hashlib
import re
from pathlib import Path

from starlette.types import Receive, Scope, Send

from penstock.edge.answers import send_answer
from penstock.edge.request_body import find_header

PATH = "/beacon.js"

_SOURCE = Path(__file__).with_name("beacon.js")
_KEPT_S = 3600  # how long a browser may use a copy without asking; a new beacon reaches every reader within this time
_WORD = re.compile(r'//[^\n]*|\s+|"[^"\n]*"|[\w$]+|.')


class BeaconEndpoint:
    """Serves GET /beacon.js."""

    def __init__(self) -> None:
        self._body = squeeze(_SOURCE.read_text(encoding="utf-8")).encode()
        self._etag = f'"{hashlib.sha256(self._body).hexdigest()[:32]}"'

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = [
            (b"cache-control", f"public, max-age={_KEPT_S}".encode()),
            (b"etag", self._etag.encode()),
            (b"x-content-type-options", b"nosniff"),
            # Any page may load it, also one that is isolated from other origins or checks its hash.
            (b"access-control-allow-origin", b"*"),
            (b"cross-origin-resource-policy", b"cross-origin"),
        ]
        if self._etag in find_header(scope["headers"], b"if-none-match"):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body"})
            return
        await send_answer(send, 200, b"text/javascript; charset=utf-8", self._body, headers)


def squeeze(script: str) -> str:
    """A script without comments and needless white space; it must hold no template string and no regular expression."""
    squeezed = ""
    is_apart = False  # whether something stood between the last word and this one
    for word in _WORD.findall(script):
        if word.isspace() or word.startswith("//"):
            is_apart = True
            continue
        if word == "}":
            squeezed = squeezed.removesuffix(";")
        elif is_apart and _would_join(squeezed[-1:], word[0]):
            squeezed += " "
        squeezed += word
        is_apart = False
    return squeezed


def _would_join(before: str, after: str) -> bool:
    """Whether two words would be read as one: two names, or + and ++."""
    are_names = all(sign.isalnum() or sign in "_$" for sign in (before, after))
    return before != "" and (are_names or (before == after and after in "+-"))
