"""National ids and bank accounts: IBANs, social security numbers and their like.

Where an id has a shape of its own, the shape and its check digit decide; a bare run of digits counts only after a word that names
the id, because by chance every tenth order number has the right check digit.
"""

import re

from penstock.text.check_digits import passes_mod_97, passes_national
from penstock.text.patterns import LEFT, Found, compile_pattern

# How many signs an IBAN has in each country.
_IBANS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 "
    "FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 "
    "LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 "
    "RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBANS.split()}
_GAP = rb"(?:[ -]|\xc2\xa0)"
# In one piece or in groups of four throughout, or every UUID would hold the beginning of one.
_IBAN = (
    rb"(?P<iban>(?i:" + "|".join(_IBAN_LENGTHS).encode() + rb")[0-9]{2}(?:[A-Za-z0-9]{11,30}"
    rb"|(?:" + _GAP + rb"[A-Za-z0-9]{4}){2,7}(?:" + _GAP + rb"[A-Za-z0-9]{1,4})?))"
)
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
        rb"tax(?:payer)?[ _-]?(?:id(?:entification)?|number|file)|tfn|tin|steuer[- ]?id(?:nr|entifikationsnummer)?"
        rb"|nif|contribuinte",
        ("german", "australian_tax", "portuguese_tax", "turkish", "spanish"),
    ),
    "citizen": (
        rb"bsn|burgerservicenummer|pesel|f(?:\xc3\xb8|oe?)dselsnummer|cpr(?:[- ]?nummer)?|personnummer|aadhaar|cpf|kimlik"
        rb"|(?:national|citizen|identity)[ _-]?(?:id|identity|card|number|insurance)+",
        ("dutch", "polish", "norwegian", "swedish", "indian", "brazilian", "turkish", "south_african", "chinese"),
    ),
    "health": (rb"nhs(?:[ _-]?(?:no\.?|number))?|medicare|health[ _-]?(?:card|insurance)", ("british_health",)),
    "canadian": (rb"sin|social[ _-]insurance(?:[ _-](?:number|no\.?))?", ("canadian",)),
    "papers": (
        rb"passport(?:[ _-]?(?:number|no\.?|id))?|driv(?:er|ing)(?:\'?s)?[ _-]?licen[cs]e(?:[ _-]?(?:number|no\.?|id))?", ()
    ),
}  # fmt: skip
_AFTER_NAME = rb"(?:[\"'\\]{0,4}[ \t]*(?:is|was|number|no\.?|nr\.?|id|of|:|=|#|-|\(|\x1e)[ \t]*){0,3}[ \t\"'\\]{0,4}"
_VALUE = rb"[A-Z]{0,3}[0-9](?:[ ./-]?[0-9]){5,13}[A-Z]?"
_PUNCTUATION = re.compile(r"[^A-Za-z0-9]")
_NAMED_VALUES = [
    b"(?i:" + words + b")" + _AFTER_NAME + b"(?P<named_" + name.encode() + b">" + _VALUE + b")"
    for name, (words, _) in _NAMED.items()
]
# Three groups of four begin most cards too, which are not worth a second look.
_PROPOSED = [shape + rb"(?:$|[^0-9 ]| $| [^0-9])" if name == "indian" else shape for name, shape in _SHAPES.items()]


class NationalIds:
    """Finds IBANs, social security numbers and other national ids."""

    proposal = LEFT + rb"(?:" + rb"|".join([*_NAMED_VALUES, rb"(?P<shape>" + rb"|".join(_PROPOSED) + rb")", _IBAN]) + rb")"

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
            here = self._judge_shapes(data, start) if name == "shape" else _judge(name, data, start, end)
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
    return Found(start, end, "national_id") if passes_national(name, kept) else None


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
    is_real = any(passes_national(check, compact) for check in checks) if checks else 6 <= len(compact) <= 14
    return Found(start, end, "national_id") if is_real else None


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
