from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.upstream.reach import (
    Reach,
    RefusedAddressError,
    address_reach,
    allowed_addresses,
    literal_reach,
    reach_of,
)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", Reach.PUBLIC),
        ("2606:2800:220:1::1", Reach.PUBLIC),
        ("10.1.2.3", Reach.PRIVATE),
        ("172.16.0.1", Reach.PRIVATE),
        ("192.168.1.1", Reach.PRIVATE),
        ("100.64.0.1", Reach.PRIVATE),
        ("fd12::1", Reach.PRIVATE),
        ("127.0.0.1", Reach.LOOPBACK),
        ("127.8.9.10", Reach.LOOPBACK),
        ("::1", Reach.LOOPBACK),
        ("169.254.169.254", Reach.NOWHERE),
        ("fe80::1", Reach.NOWHERE),
        ("fd00:ec2::254", Reach.NOWHERE),
        ("100.100.100.200", Reach.NOWHERE),
        ("0.0.0.0", Reach.NOWHERE),
        ("::", Reach.NOWHERE),
        ("224.0.0.1", Reach.NOWHERE),
        ("240.0.0.1", Reach.NOWHERE),
        ("255.255.255.255", Reach.NOWHERE),
        ("::ffff:127.0.0.1", Reach.LOOPBACK),
        ("::ffff:169.254.169.254", Reach.NOWHERE),
        ("::ffff:10.0.0.1", Reach.PRIVATE),
        ("::ffff:93.184.216.34", Reach.PUBLIC),
        ("64:ff9b::7f00:1", Reach.LOOPBACK),
        ("64:ff9b::a9fe:a9fe", Reach.NOWHERE),
        ("2002:7f00:1::", Reach.LOOPBACK),
        ("2002:a9fe:a9fe::1", Reach.NOWHERE),
        ("::7f00:1", Reach.NOWHERE),
    ],
)
def test_addresses(address: str, expected: Reach) -> None:
    assert address_reach(ipaddress.ip_address(address)) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", Reach.LOOPBACK),
        ("LOCALHOST.", Reach.LOOPBACK),
        ("a.localhost", Reach.LOOPBACK),
        ("127.1", Reach.LOOPBACK),
        ("0x7f000001", Reach.LOOPBACK),
        ("2130706433", Reach.LOOPBACK),
        ("0177.0.0.1", Reach.LOOPBACK),
        ("169.254.43518", Reach.NOWHERE),
        ("fe80::1%eth0", Reach.NOWHERE),
        ("0", Reach.NOWHERE),
        ("files.example", None),
        ("", None),
        ("\0", None),
        ("é", None),
    ],
)
def test_names_that_are_addresses(host: str, expected: Reach | None) -> None:
    assert literal_reach(host) is expected


@given(st.ip_addresses(), st.sampled_from(Reach))
def test_nearer_hosts_are_never_led_to(address: ipaddress.IPv4Address, source: Reach) -> None:
    reach = address_reach(address)
    if address.is_loopback or address.is_link_local or address.is_private:
        assert reach is not Reach.PUBLIC
    assert source.leads_to(reach) <= (reach <= source)
    assert not source.leads_to(Reach.NOWHERE)
    assert source.leads_to(Reach.PUBLIC)


def test_a_host_of_several_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"both.example": ["10.0.0.1", "93.184.216.34", "fe80::1%3"], "near.example": ["10.0.0.1"]}
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *_, **__: [(2, 1, 6, "", (address, 0)) for address in answers[host]],
    )
    assert reach_of("https://both.example/simple/") is Reach.PUBLIC
    assert reach_of("https://near.example/simple/") is Reach.PRIVATE
    assert reach_of("file:///mirror/index.html") is Reach.LOOPBACK
    assert allowed_addresses("both.example", Reach.PUBLIC) == ["93.184.216.34"]
    assert allowed_addresses("both.example", Reach.LOOPBACK) == ["10.0.0.1", "93.184.216.34"]
    with pytest.raises(RefusedAddressError, match=r"near\.example \(10\.0\.0\.1\) is not asked"):
        allowed_addresses("near.example", Reach.PUBLIC)
