"""Which network leads to the other machines; `test_multi_node` uses it between two hosts."""

from __future__ import annotations

import pytest

from training.network_interface import _default_interface, interface_towards

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
enp3s0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
"""


def test_the_default_route_tells_the_interface() -> None:
    assert _default_interface(ROUTES) == "enp3s0"
    assert _default_interface(ROUTES.splitlines()[0]) is None


@pytest.mark.parametrize("host", ["localhost", "127.0.1.1", "::1"])
def test_where_nothing_is_known_gloo_is_left_alone(host: str) -> None:
    assert interface_towards(host) is None
