"""Check digits hold for published examples and fail when a digit changes."""

import pytest

from penstock.text.check_digits import NATIONAL_CHECKS, passes_luhn, passes_mod_97, passes_national

EXAMPLES = {
    "spanish": "12345678Z",
    "italian": "RSSMRA85T10A562S",
    "singaporean": "S1234567D",
    "finnish": "131052-308T",
    "mexican": "HEGG560427MVZRRL04",
    "brazilian": "11144477735",
    "chilean": "125319092",
    "argentinian": "20267565393",
    "swedish": "8112289874",
    "korean": "9710139019902",
    "french": "255081416802538",
    "belgian": "85073003328",
    "norwegian": "15108695088",
    "polish": "44051401359",
    "dutch": "111222333",
    "german": "36574261809",
    "british_health": "9434765919",
    "chinese": "11010519491231002X",
    "south_african": "7503305044089",
    "turkish": "17291716060",
    "australian_tax": "123456782",
    "portuguese_tax": "501964843",
    "canadian": "046454286",
    "indian": "234123412346",
}


@pytest.mark.parametrize("kind", NATIONAL_CHECKS)
def test_every_rule_holds_for_its_example_and_fails_when_a_digit_changes(kind: str) -> None:
    example = EXAMPLES[kind]
    assert passes_national(kind, example)
    changed = [example[:at] + str((int(sign) + 1) % 10) + example[at + 1 :] for at, sign in enumerate(example) if sign.isdigit()]
    assert sum(passes_national(kind, text) for text in changed) <= len(changed) // 6


def test_luhn_holds_for_valid_numbers_and_fails_when_a_digit_changes() -> None:
    assert passes_luhn("79927398713")
    assert not any(passes_luhn(f"7992739871{digit}") for digit in "012456789")


def test_mod_97_holds_for_valid_ibans_only() -> None:
    assert passes_mod_97("GB82WEST12345698765432")
    assert not passes_mod_97("GB82WEST12345698765433")


def test_another_length_or_letters_for_digits_never_pass() -> None:
    assert not passes_national("polish", "4405140135")
    assert not passes_national("polish", "4405140135X")
