"""The check digits of account numbers and national ids; each function says whether the digits or letters agree with each other.

A check digit is what tells an id from an order number of the same length. The rules are public; each has a test with a published
example.
"""

from collections.abc import Callable, Sequence

_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_LETTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_ODD_FISCAL = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21,
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
), strict=True))  # fmt: skip
_VERHOEFF_PRODUCT = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678", "5987604321", "6598710432", "7659821043", "8765932104",
    "9876543210",
)  # fmt: skip
_VERHOEFF_PERMUTATION = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def passes_luhn(digits: str) -> bool:
    """Luhn's check sum, which every payment card number satisfies."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def passes_mod_97(iban: str) -> bool:
    """ISO 7064 mod 97-10 over an IBAN without gaps."""
    return int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97 == 1


def passes_verhoeff(digits: str) -> bool:
    """Verhoeff's check digit, as Aadhaar numbers have it."""
    check = 0
    for position, digit in enumerate(reversed(digits)):
        check = int(_VERHOEFF_PRODUCT[check][int(_VERHOEFF_PERMUTATION[position % 8][int(digit)])])
    return check == 0


def is_date(year: str, month: str, day: str) -> bool:
    """Whether month and day can be ones; of the year only that it is digits."""
    return year.isdigit() and month.isdigit() and day.isdigit() and 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def _weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _spanish(text: str) -> bool:
    number = text[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return number.isdigit() and _DNI_LETTERS[int(number) % 23] == text[-1]


def _italian(text: str) -> bool:
    total = 0
    for position, sign in enumerate(text[:15]):
        value = int(sign) if sign.isdigit() else ord(sign) - ord("A")
        total += value if position % 2 else _ODD_FISCAL[sign]
    return chr(ord("A") + total % 26) == text[15]


def _singaporean(text: str) -> bool:
    total = _weighted(text[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(text[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "XWUTRQPNJLK"}[text[0]]
    at = total % 11
    return letters[10 - at if text[0] == "M" else at] == text[8]


def _finnish(text: str) -> bool:
    return is_date(text[4:6], text[2:4], text[:2]) and _HETU_LETTERS[int(text[:6] + text[7:10]) % 31] == text[10]


def _mexican(text: str) -> bool:
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(alphabet.index(sign) * (18 - position) for position, sign in enumerate(text[:17]))
    return text[17] == str((10 - total % 10) % 10)


def _brazilian(text: str) -> bool:
    if len(set(text)) == 1:
        return False
    first = _weighted(text, range(10, 1, -1)) * 10 % 11 % 10
    second = _weighted(text, range(11, 1, -1)) * 10 % 11 % 10
    return text[9:] == f"{first}{second}"


def _chilean(text: str) -> bool:
    total = sum(int(digit) * (2 + position % 6) for position, digit in enumerate(reversed(text[:-1])))
    return "0123456789K0"[(11 - total % 11)] == text[-1].upper()


def _argentinian(text: str) -> bool:
    return int(text[10]) == (11 - _weighted(text[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 11 and text[0] in "23"


def _swedish(text: str) -> bool:
    return is_date(text[:2], text[2:4], text[4:6]) and passes_luhn(text)


def _korean(text: str) -> bool:
    check = (11 - _weighted(text, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return is_date(text[:2], text[2:4], text[4:6]) and text[12] == str(check)


def _french(text: str) -> bool:
    return 97 - int(text[:13]) % 97 == int(text[13:])


def _belgian(text: str) -> bool:
    check = int(text[9:])
    return is_date(text[:2], text[2:4], text[4:6]) and check in (97 - int(text[:9]) % 97, 97 - int("2" + text[:9]) % 97)


def _norwegian(text: str) -> bool:
    first = (11 - _weighted(text, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11) % 11
    second = (11 - _weighted(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 11
    return is_date(text[4:6], text[2:4], text[:2]) and text[9:] == f"{first}{second}"


def _polish(text: str) -> bool:
    check = (10 - _weighted(text, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10
    return 1 <= int(text[2:4]) % 20 <= 12 and 1 <= int(text[4:6]) <= 31 and text[10] == str(check)


def _dutch(text: str) -> bool:
    return _weighted(text, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def _german(text: str) -> bool:
    product = 10
    for digit in text[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(text[10])


def _british_health(text: str) -> bool:
    return (11 - _weighted(text, range(10, 1, -1)) % 11) % 11 == int(text[9])


def _chinese(text: str) -> bool:
    total = _weighted(text[:17], (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2))
    is_born = text[6:8] in ("19", "20") and is_date(text[6:10], text[10:12], text[12:14])
    return is_born and "10X98765432"[total % 11] == text[17].upper()


def _south_african(text: str) -> bool:
    return is_date(text[:2], text[2:4], text[4:6]) and passes_luhn(text)


def _turkish(text: str) -> bool:
    digits = [int(digit) for digit in text]
    tenth = (sum(digits[0:9:2]) * 7 - sum(digits[1:8:2])) % 10
    return digits[0] != 0 and digits[9] == tenth and digits[10] == sum(digits[:10]) % 10


def _australian_tax(text: str) -> bool:
    return _weighted(text, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def _portuguese_tax(text: str) -> bool:
    remainder = _weighted(text[:8], range(9, 1, -1)) % 11
    return int(text[8]) == (0 if remainder < 2 else 11 - remainder)


# How many signs an id has, and its rule.
NATIONAL_CHECKS: dict[str, tuple[int, Callable[[str], bool]]] = {
    "spanish": (9, _spanish),
    "italian": (16, _italian),
    "singaporean": (9, _singaporean),
    "finnish": (11, _finnish),
    "mexican": (18, _mexican),
    "brazilian": (11, _brazilian),
    "chilean": (9, _chilean),
    "argentinian": (11, _argentinian),
    "swedish": (10, _swedish),
    "korean": (13, _korean),
    "french": (15, _french),
    "belgian": (11, _belgian),
    "norwegian": (11, _norwegian),
    "polish": (11, _polish),
    "dutch": (9, _dutch),
    "german": (11, _german),
    "british_health": (10, _british_health),
    "chinese": (18, _chinese),
    "south_african": (13, _south_african),
    "turkish": (11, _turkish),
    "australian_tax": (9, _australian_tax),
    "portuguese_tax": (9, _portuguese_tax),
    "canadian": (9, passes_luhn),
    "indian": (12, passes_verhoeff),
}


def passes_national(kind: str, text: str) -> bool:
    """Whether the text, without gaps, is an id of this kind."""
    length, rule = NATIONAL_CHECKS[kind]
    text = text.zfill(length) if kind == "chilean" else text
    if len(text) != length:
        return False
    try:
        return rule(text)
    except (ValueError, KeyError):  # letters where this kind of id has digits
        return False
