"""By which network interface a machine reaches the others that train with it."""

from __future__ import annotations

import fcntl
import socket
import struct
from pathlib import Path

_SIOCGIFADDR = 0x8915  # of <linux/sockios.h>
_ROUTES = Path("/proc/net/route")
_DISCARD_PORT = 9  # nothing is sent to it


def interface_towards(host: str) -> str | None:
    """The interface by which this machine reaches the host of rank 0; None where it is not known.

    That host itself may know its name as a loopback address, as Debian sets it up: then it is the
    interface of the default route.
    """
    if host == "localhost" or host.startswith("127."):  # nobody comes from another machine
        return None
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, _DISCARD_PORT))
            own: str = probe.getsockname()[0]
        if own.startswith("127."):
            return _default_interface(_ROUTES.read_text())
    except OSError:  # IPv6, or no such host: whoever connects to it will say so
        return None
    return next((name for _, name in socket.if_nameindex() if _address_of(name) == own), None)


def _default_interface(routes: str) -> str | None:
    """Of the kernel's table: interface, destination, ... a line; the default's is 0."""
    fields = (line.split() for line in routes.splitlines()[1:])
    return next((name for name, destination, *_ in fields if int(destination, 16) == 0), None)


def _address_of(interface: str) -> str | None:
    """Its IPv4 address, if it has one."""
    request = struct.pack("256s", interface.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFADDR, request)
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])
