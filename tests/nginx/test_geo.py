"""`geo`: the value of the smallest network that an address is in."""

from __future__ import annotations

import pytest

from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.variable_maps import AddressMap

NETWORKS = {"10.0.0.0/8": "a", "10.1.0.0/16": "b", "10.1.1.1": "c", "2001:db8::/32": "d"}


def value(address: str, *, is_plain: bool = True) -> str:
    found = AddressMap("$remote_addr", "f:1", "x", NETWORKS, is_plain)
    return found.value_for(address, lambda _match: None)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.2.0.1", "a"),
        ("10.1.0.1", "b"),
        ("10.1.1.1", "c"),
        ("2001:db8::1", "d"),
        ("11.0.0.1", "x"),
        ("::1", "x"),
    ],
)
def test_the_smallest_network_wins(address: str, expected: str) -> None:
    assert expected == value(address)


def test_what_is_not_plain_is_unknown() -> None:
    with pytest.raises(Indeterminate):
        value("10.0.0.1", is_plain=False)
    with pytest.raises(Indeterminate):
        value("no address")
