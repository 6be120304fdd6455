"""Street addresses, by the words that streets, boxes and flats are named with, and by those that say where somebody lives."""

from penstock.text.patterns import LEFT, Found, compile_pattern

_UPPER = rb"(?:[A-Z]|\xc3[\x80-\x9e]|\xc4[\x80-\xbf]|\xc5[\x80-\xbf])"
_WORD = _UPPER + rb"[A-Za-z\x80-\xff'.-]{0,24}"
_SUFFIX = (
    rb"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Circle|Cir|Place|Pl|Square|Sq|Terrace|Ter|Trail|Trl"
    rb"|Way|Parkway|Pkwy|Highway|Hwy|Crescent|Close|Grove|Gardens|Mews|Alley|Row|Walk|Quay|Loop|Crossing)"
)
_UNIT = rb"(?:,?[ \n]{1,3}(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|#|No)\.? ?[A-Z]?[0-9]{1,5}[A-Z]?)"
_TOWN = (
    rb"(?:,?[ \n]{1,3}(?:" + _WORD + rb"[ ]?){1,3},[ \n]{1,2}[A-Z]{2}[ \n]{1,2}[0-9]{5}(?:-[0-9]{4})?"
    rb"|,[ \n]{1,2}[0-9]{4,5} " + _WORD + rb""
    rb"|,?[ \n]{1,2}(?:" + _WORD + rb"[ ]?){1,2},?[ \n]{1,2}[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2})"
)  # fmt: skip
_SHAPES = (
    rb"[0-9]{1,6}[A-Za-z]?,? (?:[NSEW]\.? )?(?:" + _WORD + rb" |[0-9]{1,3}(?:st|nd|rd"
    rb"|th) ){1,4}" + _SUFFIX + rb"\b\.?" + _UNIT + rb"?" + _TOWN + rb"?",
    rb"(?i:P\.? ?O\.? ?Box) [0-9]{1,6}" + _TOWN + rb"?",
    rb"(?:PSC|Unit|CMR) [0-9]{3,5},? Box [0-9]{2,5}(?:,?[ \n]{1,2}(?:APO|FPO|DPO) A[AEP],? [0-9]{5})?",
    rb"(?:Apt|Apartment|Suite)\.? [0-9]{1,5}[A-Z]?" + _TOWN + rb"?",
    _UPPER + rb"[A-Za-z\x80-\xff-]{2,24}"
    rb"(?:stra(?:\xc3\x9f|ss)e|str\.|gasse|allee|gatan|v\xc3\xa4gen|vej|veien|gate|laan|straat|weg|platz|katu"
    rb"|tie) [0-9]{1,4}[a-z]?(?:, ?[0-9]{4,5} " + _WORD + rb")?",
    rb"(?:Rua|Rue|Via|Viale|Piazza|Calle|Avenida|Avda\.?|Paseo|Plaza|Avenue|Boulevard|ul\.|al\.|Camino|Carrera|Strada)"
    rb"(?: (?:" + _WORD + rb"|de|del|della|dei|la|las|los|le|les|du|des|da|do|dos|di"
    rb"|d'" + _WORD + rb")){1,5},? (?:n\xc2\xba ?)?[0-9]{1,5}[a-zA-Z]?",
    rb"[0-9]{1,5}(?: ?bis| ?ter)?,? (?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Cc]hemin|[Pp]lace|[Aa]ll\xc3\xa9e|[Qq]uai)(?: (?:" + _WORD
    + rb"|de|la|le|les|du|des|l'" + _WORD + rb"|d'" + _WORD + rb")){1,5}",
)  # fmt: skip
_ANNOUNCED = (
    rb"(?i:(?:my|his|her|their|our|home|postal|mailing|shipping|billing|delivery|street|residential)[ _]address(?: is"
    rb"|:)?|address:|"
    rb"\b(?:i|he|she|we|they) lives? (?:at|on)|i'm living at|resid(?:es|ing) at|ship (?:it )?to|deliver (?:it )?to)[ \"':]{1,4}"
    rb"(?P<announced>[0-9]{1,6}[A-Za-z]? [^\n\r\x1e\"@<>{}\[\];!?]{3,80})"
)


class StreetAddresses:
    """Finds street addresses and post boxes."""

    proposal = LEFT + rb"(?:" + _ANNOUNCED + rb"|(?P<shape>" + rb"|".join(_SHAPES) + rb"))"

    def __init__(self) -> None:
        self._search = compile_pattern(self.proposal).search

    def find(self, data: bytes) -> list[Found]:
        """Every address."""
        found: list[Found] = []
        position = 0
        while position <= len(data) and (match := self._search(data, position)) is not None:
            start, end = match.span(match.lastindex)
            if match.lastgroup == b"announced":
                end = start + _end_of_sentence(data[start:end])
            found.append(Found(start, end, "address"))
            position = max(end, position + 1)
        return found


def _end_of_sentence(text: bytes) -> int:
    """Where a sentence ends in what follows the announcement; an abbreviation's full stop has a short word before it."""
    at = text.find(b". ")
    while at >= 0 and at - (text.rfind(b" ", 0, at) + 1) <= 3:
        at = text.find(b". ", at + 1)
    return len(text.rstrip(b" .,")) if at < 0 else at
