"""Two network namespaces on this machine, joined by a link that delays and loses packets.

Each namespace is a host of its own: its own interfaces, addresses and ports. A cable (veth) leads
from each into this process, which hands Ethernet frames over to the other side after `delay_s`, or
loses them. Linux's own netem would do the same, but many kernels come without it. Needs root.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

# Linux's linux/if_ether.h and linux/if_packet.h; Python's socket module does not name them.
_ETH_P_ALL = 0x0003
_SOL_PACKET, _PACKET_VNET_HDR = 263, 15
_FRAME_BYTES = 65_536
_MTU = 1500  # Wi-Fi's and Ethernet's: what is larger is sent in fragments
_POLL_S = 0.2


class LinkError(Exception):
    """Network namespaces cannot be made here; says what is missing."""


@dataclass(frozen=True)
class Host:
    """One side. namespace: for `ip netns exec`. interface: this process's end of its cable."""

    namespace: str
    interface: str
    address: str

    def command(self, *words: str) -> list[str]:
        """The command line that runs `words` on this host."""
        return ["ip", "netns", "exec", self.namespace, *words]


@dataclass
class Traffic:
    """What went over the link so far: frames that were handed over and frames that were lost."""

    carried: int = 0
    lost: int = 0
    carried_bytes: int = 0


@dataclass
class _Direction:
    """One way over the link: frames in flight, ordered by when they arrive."""

    source: socket.socket
    sink: socket.socket
    traffic: Traffic
    in_flight: list[tuple[float, int, bytes]] = field(default_factory=list)


@contextlib.contextmanager
def lossy_link(delay_s: float, loss: float, seed: int = 0) -> Iterator[tuple[Host, Host, Traffic]]:
    """Two hosts, and the traffic between them as it grows; both are gone after the block.

    delay_s: one way. loss: share of Ethernet frames, 0..1, either way. Raises LinkError.
    """
    tag = f"lisa{random.SystemRandom().randrange(16**4):04x}"
    hosts = tuple(
        Host(f"{tag}{side}", f"{tag}{side}", f"10.77.0.{number}/24")
        for number, side in ((1, "a"), (2, "b"))
    )
    traffic = Traffic()
    with contextlib.ExitStack() as undo:
        sockets = []
        for host in hosts:
            _make_host(host, undo)
            sockets.append(undo.enter_context(_frames_of(host.interface)))
        ended = threading.Event()
        link = threading.Thread(
            target=_carry, args=(sockets, traffic, delay_s, loss, random.Random(seed), ended)
        )
        link.start()
        try:
            yield hosts[0], hosts[1], traffic
        finally:
            ended.set()
            link.join()


def _make_host(host: Host, undo: contextlib.ExitStack) -> None:
    _ip("netns", "add", host.namespace)
    undo.callback(_ip, "netns", "del", host.namespace)  # takes the cable with it
    inside = "eth0"
    _ip("link", "add", host.interface, "type", "veth", "peer", inside, "netns", host.namespace)
    for command in (
        ("addr", "add", host.address, "dev", inside),
        ("link", "set", inside, "mtu", str(_MTU), "up"),
        ("link", "set", "lo", "up"),
        ("route", "add", "224.0.0.0/4", "dev", inside),
    ):
        _ip("-n", host.namespace, *command)
    _ip("link", "set", host.interface, "mtu", str(_MTU), "up")


def _ip(*words: str) -> None:
    if shutil.which("ip") is None:
        raise LinkError("`ip` is not installed: sudo apt-get install iproute2")
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LinkError(
            f"`ip {' '.join(words)}` failed: {done.stderr.strip()}. Network namespaces need root."
        )


def _frames_of(interface: str) -> socket.socket:
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 2**20)
    # The sender leaves checksums to its "hardware". With this header in front, which travels
    # along, the kernel completes them on the other side instead of dropping the packet.
    raw.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    raw.bind((interface, 0))
    raw.setblocking(False)
    return raw


def _carry(
    sockets: list[socket.socket],
    traffic: Traffic,
    delay_s: float,
    loss: float,
    dice: random.Random,
    ended: threading.Event,
) -> None:
    directions = [
        _Direction(source, sink, traffic)
        for source, sink in (tuple(sockets), tuple(reversed(sockets)))
    ]
    numbers = itertools.count()
    while not ended.is_set():
        due_s = [way.in_flight[0][0] - time.monotonic() for way in directions if way.in_flight]
        readable, _, _ = select.select(sockets, [], [], max(0.0, min([_POLL_S, *due_s])))
        for way in directions:
            if way.source in readable:
                _take(way, delay_s, loss, dice, numbers)
            _deliver(way)


def _take(
    way: _Direction, delay_s: float, loss: float, dice: random.Random, numbers: Iterator[int]
) -> None:
    """Take in all that waits at one end."""
    while True:
        try:
            frame, address = way.source.recvfrom(_FRAME_BYTES)
        except BlockingIOError:
            return
        if address[2] == socket.PACKET_OUTGOING:  # what this process itself sent into the cable
            continue
        if dice.random() < loss:
            way.traffic.lost += 1
        else:
            heapq.heappush(way.in_flight, (time.monotonic() + delay_s, next(numbers), frame))


def _deliver(way: _Direction) -> None:
    while way.in_flight and way.in_flight[0][0] <= time.monotonic():
        frame = heapq.heappop(way.in_flight)[2]
        way.sink.send(frame)
        way.traffic.carried += 1
        way.traffic.carried_bytes += len(frame)
