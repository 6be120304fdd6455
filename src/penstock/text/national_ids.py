"""National ids and bank accounts: IBANs, social security numbers and their like.

Where an id has a shape of its own, the shape and its check digit decide; a bare run of digits counts only after a word that names
the id, because by chance every tenth order number has the right check digit.
"""

import re

from penstock.text.check_digits import NATIONAL_CHECKS, passes_mod_97
from penstock.text.patterns import LEFT, Found, compile_pattern

_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21,
    "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18,
    "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23,
    "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27,
    "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28,
    "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
_GAP = rb"(?:[ -]|\xc2\xa0)?"
_IBAN = rb"(?P<iban>[A-Za-z]{2}[0-9]{2}" + _GAP + rb"(?:[A-Za-z0-9]" + _GAP + rb"){11,30})"
# Shapes that nothing else has; what is checked is the id without its gaps.
_SHAPES = {
    "british": rb"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: ?[0-9]{2}){3} ?[A-D]",
    "spanish": rb"(?:[0-9]{8}|[XYZ]-?[0-9]{7})-?[A-Z]",
    "italian": rb"[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]",
    "singaporean": rb"[STFGM][0-9]{7}[A-Z]",
    "finnish": rb"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]",
    "mexican": rb"[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[A-Z0-9][0-9]",
    "brazilian": rb"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}",
    "chilean": rb"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Kk]",
    "argentinian": rb"[23][0-9]-[0-9]{8}-[0-9]",
    "swedish": rb"[0-9]{6}[-+][0-9]{4}",
    "korean": rb"[0-9]{6}-[1-8][0-9]{6}",
    "french": rb"[12] ?[0-9]{2} ?[01][0-9] ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
    "belgian": rb"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}",
    "chinese": rb"[1-8][0-9]{5}(?:19|20)[0-9]{2}[01][0-9][0-3][0-9]{4}[0-9Xx]",
    "indian": rb"[2-9][0-9]{3} [0-9]{4} [0-9]{4}",
    "ssn": rb"[0-8][0-9]{2}(?:-[0-9]{2}-| [0-9]{2} )[0-9]{4}",
    "taxpayer": rb"9[0-9]{2}-(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-24-9])-[0-9]{4}",
}
# What counts only after a word that names it: the word, and the check digits of which one must be right (none: any digits).
_NAMED = {
    "social": (rb"ssn|social[ _-]security(?:[ _-](?:number|no\.?|id))?|ss#", ()),
    "tax": (
        rb"tax(?:payer)?[ _-]?(?:id(?:entification)?|number|file)|tfn|tin|steuer[- ]?id(?:nr|entifikationsnummer)?|nif|contribuinte",
        ("german", "australian_tax", "portuguese_tax", "turkish", "spanish"),
    ),
    "citizen": (
        rb"bsn|burgerservicenummer|pesel|f(?:\xc3\xb8|oe?)dselsnummer|cpr(?:[- ]?nummer)?|personnummer|aadhaar|cpf|kimlik"
        rb"|(?:national|citizen|identity)[ _-]?(?:id|identity|card|number|insurance)+",
        ("dutch", "polish", "norwegian", "swedish", "indian", "brazilian", "turkish", "south_african", "chinese"),
    ),
    "health": (rb"nhs(?:[ _-]?(?:no\.?|number))?|medicare|health[ _-]?(?:card|insurance)", ("british_health", "german", "french")),
    "canadian": (rb"sin|social[ _-]insurance(?:[ _-](?:number|no\.?))?", ("canadian",)),
    "papers": (
        rb"passport(?:[ _-]?(?:number|no\.?|id))?|driv(?:er|ing)(?:\'?s)?[ _-]?licen[cs]e(?:[ _-]?(?:number|no\.?|id))?", ()
    ),
}  # fmt: skip
_AFTER_NAME = rb"(?:[\"'\\]{0,4}[ \t]*(?:is|was|number|no\.?|nr\.?|id|of|:|=|#|-|\(|\x1e)[ \t]*){0,3}[ \t\"'\\]{0,4}"
_VALUE = rb"[A-Z]{0,3}[0-9](?:[ ./-]?[0-9]){5,13}[A-Z]?"
_PUNCTUATION = re.compile(r"[^A-Za-z0-9]")


class NationalIds:
    """Finds IBANs, social security numbers and other national ids."""

    proposal = (
        LEFT
        + rb"(?:"
        + rb"|".join(
            [
                *(b"(?i:" + words + b")" + _AFTER_NAME + b"(?P<named_" + name.encode() + b">" + _VALUE + b")"
                  for name, (words, _) in _NAMED.items()),
                *(b"(?P<" + name.encode() + b">" + shape + b")" for name, shape in _SHAPES.items()),
                _IBAN,
            ]
        )
        + rb")"
    )  # fmt: skip

    def __init__(self) -> None:
        self._search = compile_pattern(self.proposal).search
        self._shapes = {name: re.compile(shape) for name, shape in _SHAPES.items()}

    def find(self, data: bytes) -> list[Found]:
        """Every id."""
        found: list[Found] = []
        position = 0
        while position <= len(data) and (match := self._search(data, position)) is not None:
            start, end = match.span(match.lastindex)
            name = match.lastgroup.decode()
            here = self._judge_shapes(data, start) if name in self._shapes else _judge(name, data, start, end)
            if here is not None:
                found.append(here)
            position = max(here.end if here is not None else start + 1, position + 1)
        return found

    def _judge_shapes(self, data: bytes, start: int) -> Found | None:
        """What begins here in the first shape that holds; several may fit the same signs."""
        for name, shape in self._shapes.items():
            match = shape.match(data, start)
            here = None if match is None else _judge(name, data, start, match.end())
            if here is not None:
                return here
        return None


def _judge(name: str, data: bytes, start: int, end: int) -> Found | None:
    if name == "iban":
        return _iban(data, start, end)
    if data[end : end + 1].isalnum() or (not name.startswith("named_") and _goes_on(name, data, start, end)):
        return None
    compact = _PUNCTUATION.sub("", data[start:end].decode("ascii", "replace"))
    if name == "ssn":
        return Found(start, end, "ssn") if _is_social_security_number(compact) else None
    if name.startswith("named_"):
        return _named(name.removeprefix("named_"), compact, start, end)
    if name in ("british", "taxpayer"):
        is_real = name == "taxpayer" or compact[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
        return Found(start, end, "national_id") if is_real else None
    kept = data[start:end].decode() if name == "finnish" else compact
    return Found(start, end, "national_id") if _passes(name, kept) else None


def _goes_on(name: str, data: bytes, start: int, end: int) -> bool:
    """Whether it is a part of a longer run of digits, and so nothing by itself."""
    gaps = (b"-", b".", b" ") if b" " in data[start:end] or name == "indian" else (b"-", b".")
    is_joined_before = data[max(start - 1, 0) : start] in gaps and data[max(start - 2, 0) : max(start - 1, 0)].isdigit()
    return is_joined_before or (data[end : end + 1] in gaps and data[end + 1 : end + 2].isdigit())


def _named(name: str, compact: str, start: int, end: int) -> Found | None:
    if name == "social":
        is_number = compact.isdigit() and len(compact) == 9
        return Found(start, end, "ssn") if is_number and _is_social_security_number(compact) else None
    checks = _NAMED[name][1]
    is_real = any(_passes(check, compact) for check in checks) if checks else 6 <= len(compact) <= 14
    return Found(start, end, "national_id") if is_real else None


_LENGTHS = {
    "german": 11, "australian_tax": 9, "portuguese_tax": 9, "turkish": 11, "spanish": 9, "dutch": 9, "polish": 11, "norwegian": 11,
    "swedish": 10, "indian": 12, "brazilian": 11, "south_african": 13, "chinese": 18, "british_health": 10, "french": 15, "canadian": 9,
    "italian": 16, "singaporean": 9, "finnish": 11, "mexican": 18, "argentinian": 11, "korean": 13, "belgian": 11,
}  # fmt: skip


def _passes(name: str, compact: str) -> bool:
    if name != "chilean" and len(compact) != _LENGTHS[name]:
        return False
    try:
        return NATIONAL_CHECKS[name](compact)
    except (ValueError, KeyError):  # letters where this kind of id has digits
        return False


def _is_social_security_number(digits: str) -> bool:
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _iban(data: bytes, start: int, end: int) -> Found | None:
    """The IBAN that begins here; how long it is its country says, and what follows may be words."""
    length = _IBAN_LENGTHS.get(data[start : start + 2].decode("ascii").upper())
    if length is None:
        return None
    at, signs = start, bytearray()
    while at < end and len(signs) < length:
        if data[at : at + 1].isalnum():
            signs += data[at : at + 1]
        at += 1
    if len(signs) < length or data[at : at + 1].isalnum() or not passes_mod_97(signs.decode().upper()):
        return None
    return Found(start, at, "iban")
