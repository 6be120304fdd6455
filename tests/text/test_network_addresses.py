"""IP and MAC addresses are found; versions, object ids, fingerprints and times are left alone."""

import pytest

from penstock.text.network_addresses import NetworkAddresses
from tests.text.detected import detected

NETWORK = NetworkAddresses()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("192.168.1.254:8080", "192.168.1.254"),
        ("http://203.0.113.9/x", "203.0.113.9"),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", "2001:0db8:85a3:0000:0000:8a2e:0370:7334"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("fe80::1ff:fe23:4567:890a%eth0", "fe80::1ff:fe23:4567:890a"),
        ("::ffff:192.0.2.128", "192.0.2.128"),
        ("10.0.0.0/8", "10.0.0.0"),
    ],
)
def test_addresses_of_both_versions_are_found(text: str, address: str) -> None:
    for around in (text, f"from {text} ok", f'"{text}"', f"a\\n{text}"):
        assert detected(NETWORK, around) == [(address, "ip")]


@pytest.mark.parametrize("address", ["00:1B:44:11:3A:B7", "00-1b-44-11-3a-b7", "001b.4411.3ab7"])
def test_hardware_addresses_are_found(address: str) -> None:
    assert detected(NETWORK, f"eth0 {address} up") == [(address, "mac")]


@pytest.mark.parametrize(
    "text",
    [
        "1.2.3",
        "256.1.1.1",
        "10.20.30.40.50",
        "version 1.2.3.4",
        "Chrome/120.0.6099.10",
        "v10.0.0.1",
        "12:34:56",
        "12:34:56:78",
        "std::dead::beef",
        "a::b::c",
        "aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99",
        "00:00:00:00:00:00",
        "1.3.6.1.4.1.311",
        "12-34-56-78-90-12",
    ],
)
def test_what_is_written_like_an_address_but_is_none_is_left_alone(text: str) -> None:
    assert detected(NETWORK, text) == []
