"""Names of fields that say what their value is, so that both have to be looked at together."""

import re
from functools import lru_cache

_CREDENTIAL = re.compile(
    r"(?i)authorization|api[_-]?key|access[_-]?key|secret[_-]?key|account[_-]?key|access[_-]?token|auth[_-]?token"
    r"|refresh[_-]?token|client[_-]?secret|private[_-]?key|password|passwd|secret|(?:^|[._-])cookie$"
)
_WHOLLY_SECRET = re.compile(
    r"(?i)(?:^|[._-])(?:(?:proxy-)?authorization|(?:x-)?api[_-]?key|access[_-]?key|(?:secret|account|private)[_-]?key|password|passwd"
    r"|(?:access|auth|refresh|session)[_-]?token|client[_-]?secret|(?:set-)?cookie)$"
)
_PERSONAL = re.compile(
    r"(?i)(?:^|[._ -])(?:ssn|social_?security(?:_?number)?|dob|date_?of_?birth|birth_?(?:date|day)|born|phone(?:_?number)?|telephone"
    r"|mobile(?:_?(?:phone|number))?|fax(?:_?number)?|(?:street|home|postal|mailing|shipping|billing|delivery)_?address(?:_?line_?[12])?"
    r"|passport(?:_?(?:number|no))?|driver_?s?_?licen[cs]e(?:_?(?:number|no))?|national_?id|tax_?id|tin|bsn|pesel|nhs(?:_?number)?"
    r"|iban|card_?number|credit_?card)$"
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_COUNTING = re.compile(
    r"(?i)(?:^|[._ -])(?:order|invoice|ticket|case|tracking|sku|serial|account|version|build|commit|isbn|tokens?|batch|transaction|item"
    r"|product|model|receipt|request|trace|span|page|row|line|id|uid|uuid|seed|hash|offset|timestamp|epoch|total|count|amount|price"
    r"|population|size|bytes|sum|balance)(?:_?(?:ids?|no|nr|num|numbers?|code|count))?$"
)


@lru_cache(maxsize=4096)
def is_credential_name(name: str) -> bool:
    """Whether what is stored under this name is likely a secret."""
    return _CREDENTIAL.search(name) is not None


@lru_cache(maxsize=4096)
def is_wholly_secret(name: str) -> bool:
    """Whether a text under this name is nothing but a secret, whatever it looks like."""
    return _WHOLLY_SECRET.search(name) is not None


@lru_cache(maxsize=4096)
def is_personal_name(name: str) -> bool:
    """Whether what is stored under this name is about a person, though it may not look like it."""
    return _PERSONAL.search(_CAMEL.sub("_", name)) is not None


@lru_cache(maxsize=4096)
def is_telling_name(name: str) -> bool:
    """Whether the name changes what its value may be taken for."""
    return is_credential_name(name) or is_personal_name(name) or _COUNTING.search(_CAMEL.sub("_", name)) is not None
