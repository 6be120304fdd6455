"""Names of fields that say what their value is: a secret, somebody's phone number, or only a number of something.

Under such a name a value need not look like what it is: `"phone": "4673395"`, `"order_id": 4155550134`.
"""

import re
from functools import lru_cache

_CREDENTIAL = re.compile(
    r"(?i)authorization|api[_-]?key|access[_-]?key|secret[_-]?key|account[_-]?key|access[_-]?token|auth[_-]?token"
    r"|refresh[_-]?token|client[_-]?secret|private[_-]?key|password|passwd|secret|(?:^|[._-])cookie$"
)
_NOTHING_BUT = (
    r"(?:proxy-)?authorization|(?:x-)?api[_-]?key|access[_-]?key|(?:secret|account|private)[_-]?key|password|passwd"
    r"|(?:access|auth|refresh|session)[_-]?token|client[_-]?secret|(?:set-)?cookie"
)
_WHOLLY_SECRET = re.compile(rf"(?i)(?:^|[._-])(?:{_NOTHING_BUT})$")
# Kind: the words that end its name, and what the value has to look like all the same.
_PERSONAL = {
    "phone": (
        r"(?:tele)?phone(?:_?(?:number|no))?|mobile(?:_?(?:phone|number|no))?|cell(?:_?(?:phone|number))?|fax(?:_?(?:number|no))?",
        r"[+(]?[0-9][0-9 ()./\u00a0-]{4,24}(?: ?(?:x|ext\.?) ?[0-9]{1,6})?",
    ),
    "ssn": (r"(?:ssn|social_?security)(?:_?(?:number|no|id))?", r"[0-9][0-9 -]{4,14}"),
    "birth_date": (
        r"dob|date_?of_?birth|birth_?(?:date|day)|born(?:_?(?:on|at))?", r"(?=.*[0-9])[^\W_][\w ,./:+-]{3,40}"
    ),
    "address": (
        r"(?:street|home|postal|mailing|shipping|billing|delivery)_?address(?:_?line_?[12])?|address_?line_?[12]",
        r"(?=.*[0-9])(?=.*[^\W\d])[^\n\[\]{}]{5,160}",
    ),
    "national_id": (
        r"(?:passport|driv(?:er_?s?|ing)_?licen[cs]e|nhs)(?:_?(?:number|no|id))?|national_?id(?:_?(?:number|no))?"
        r"|tax_?(?:payer_?)?id|bsn|pesel",
        r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9 ./-]{4,20}",
    ),
}  # fmt: skip
_KINDS = tuple(
    (kind, re.compile(rf"(?i)(?:^|[._ -])(?:{words})$"), re.compile(value)) for kind, (words, value) in _PERSONAL.items()
)
_COUNTING = re.compile(
    r"(?i)(?:^|[._ -])(?:order|invoice|ticket|case|tracking|sku|serial|account|version|build|commit|isbn|tokens?|batch"
    r"|transaction|item|product|model|receipt|request|trace|span|page|row|line|id|uid|uuid|seed|hash|offset|timestamp|epoch|total|count|amount|price"
    r"|population|size|bytes|sum|balance)(?:_?(?:ids?|no|nr|num|numbers?|code|count))?$"
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

# Such a name as the key of a JSON object, in raw JSON, with its value: RE2, over bytes.
NAMED_VALUE = (
    "(?i:" + "|".join([_NOTHING_BUT, *(words for words, _ in _PERSONAL.values())]) + r')\\*"[ \t\r\n]*:[ \t\r\n\[]*\\*["0-9]'
).encode()


@lru_cache(maxsize=4096)
def is_credential_name(name: str) -> bool:
    """Whether what is stored under this name is likely a secret."""
    return _CREDENTIAL.search(name) is not None


@lru_cache(maxsize=4096)
def is_telling_name(name: str) -> bool:
    """Whether the name changes what its value may be taken for."""
    return is_credential_name(name) or is_personal_name(name) or _COUNTING.search(_CAMEL.sub("_", name)) is not None


@lru_cache(maxsize=4096)
def is_personal_name(name: str) -> bool:
    """Whether what is stored under this name is about a person, though it may not look like it."""
    spelled = _CAMEL.sub("_", name)
    return any(names.search(spelled) is not None for _, names, _ in _KINDS)


def kind_by_name(name: str, value: str) -> str | None:
    """What the whole value is by its name alone, if it can be; None where it must be looked at."""
    if _WHOLLY_SECRET.search(name) is not None:
        return "secret" if value else None
    spelled = _CAMEL.sub("_", name)
    return next((kind for kind, names, values in _KINDS if names.search(spelled) and values.fullmatch(value)), None)
