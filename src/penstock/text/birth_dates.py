"""Dates of birth: a date is one only where a word beside it says so."""

from penstock.text.patterns import LEFT, Found, compile_pattern, each_first_group

_MONTH = (
    rb"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|m(?:\xc3\xa4|ae)r|mai|okt|dez|ene|abr|ago|dic"
    rb"|janv|f(?:\xc3\xa9|e)v|avr|juin|juil|ao(?:\xc3\xbb|u)t)"
)
_DATE = (
    rb"(?P<date>(?:19|20)[0-9]{2}[-./][0-9]{1,2}[-./][0-9]{1,2}|[0-9]{1,2}[-./][0-9]{1,2}[-./](?:(?:19|20)[0-9]{2}|[0-9]{2})"
    rb"|[0-9]{1,2}(?:st|nd|rd|th|\.)?[ -](?:of "
    rb"|de )?" + _MONTH + rb"[a-z\xc3\xa9\xa4\xbb]{0,8}\.?[, -]{1,2}(?:de )?(?:19|20)[0-9]{2}"
    rb"|" + _MONTH + rb"[a-z]{0,6}\.? [0-9]{1,2}(?:st|nd|rd|th)?,? (?:19|20)[0-9]{2})"
)  # fmt: skip
_WORDS = (
    rb"(?i:born|birth[ _-]?(?:date|day)|date[ _-]of[ _-]birth|birth|dob|d\.o\.b\.?|geboren|geburtsdatum|geb\."
    rb"|n(?:\xc3\xa9|e)e?[ ]le"
    rb"|date de naissance|fecha de nacimiento|nacid[oa] el|data di nascita|nat[oa] il|geboortedatum|data de nascimento)"
)


class BirthDates:
    """Finds dates of birth."""

    proposal = LEFT + _WORDS + rb"[^0-9\n\x1e]{0,24}?" + _DATE

    def __init__(self) -> None:
        self._search = compile_pattern(self.proposal).search

    def find(self, data: bytes) -> list[Found]:
        """Every date of birth."""
        dates = each_first_group(self._search, data)
        return [Found(start, end, "birth_date") for start, end in dates if not data[end : end + 1].isdigit()]
