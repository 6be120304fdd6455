"""Errors of databases without the values that they quote, which may be what somebody wrote."""

import re

_QUOTED = re.compile(r"""(['"]).*\1""", re.DOTALL)  # from the first quote to its last: a value may hold quotes itself
_OPEN = re.compile(r"""['"].*""", re.DOTALL)


def without_values(message: str) -> str:
    """The first line of an error, with an ellipsis for all that stands in quotes; what is cut off in them counts as a value."""
    told = _QUOTED.sub("\N{HORIZONTAL ELLIPSIS}", message.strip())
    return _OPEN.sub("\N{HORIZONTAL ELLIPSIS}", told).partition("\n")[0].strip()
