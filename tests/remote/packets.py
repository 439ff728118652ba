"""What passes between two network namespaces: IP packets, delayed, lost, held to a rate.

Run as a program in the laptop's namespace: `python -m tests.remote.packets`. It makes a device
there, goes over into a namespace of its own, which is the box's, makes one there, and passes
packets between the two. What is lost is lost to the kernels' own TCP, which sends it again in its
own time. Orders come as lines of JSON. No root is needed within `unshare -rn`.
"""

from __future__ import annotations

import contextlib
import ctypes
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

LAPTOP, BOX = "10.77.0.1", "10.77.0.2"
ELSEWHERE = "10.77.0.3"  # where a laptop is that has gone into another network
_NEW_NETWORK, _MAKE_DEVICE = 0x40000000, 0x400454CA
_PLAIN_PACKETS = 0x1001  # IFF_TUN, IFF_NO_PI
_LONGEST = 1 << 16  # bytes
_BUFFER = 0.2  # seconds that a full link holds before it throws away, as a router does


@dataclass(frozen=True)
class Conditions:
    """Of the way, the same in both directions."""

    delay: float = 0.0  # seconds, one way
    loss: float = 0.0  # share of the packets
    rate: float = 0.0  # bits a second; 0: any
    up: bool = True


class Direction:
    """From one device into the other."""

    def __init__(self, source: int, sink: int, seed: int) -> None:
        self.source, self._sink = source, sink
        self._random = random.Random(seed)
        self._held: list[tuple[float, int, bytes]] = []
        self._free, self._count = 0.0, 0

    def take(self, packet: bytes, way: Conditions, now: float) -> None:
        """One packet has come: when will it be there, if ever?"""
        if not way.up or self._random.random() < way.loss:
            return
        leaves = max(now, self._free) + (8 * len(packet) / way.rate if way.rate else 0.0)
        if leaves - now > _BUFFER:
            return
        self._free, self._count = leaves, self._count + 1
        heapq.heappush(self._held, (leaves + way.delay, self._count, packet))

    def pass_on(self, now: float) -> float:
        """Write what is due; seconds until the next is."""
        while self._held and self._held[0][0] <= now:
            with contextlib.suppress(OSError):
                os.write(self._sink, heapq.heappop(self._held)[2])
        return self._held[0][0] - now if self._held else 1.0


def device(name: str, address: str) -> int:
    """A device in this namespace at which a program reads and writes packets."""
    import fcntl  # here, because Windows has none

    opened = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(opened, _MAKE_DEVICE, struct.pack("16sH22x", name.encode(), _PLAIN_PACKETS))
    for words in (f"address add {address}/24 dev {name}", f"link set {name} up", "link set lo up"):
        subprocess.run(["ip", *words.split()], check=True)
    return opened


def new_network() -> None:
    """Go over into a network namespace of one's own. Raises OSError."""
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "no namespace of one's own")


def relay(directions: tuple[Direction, ...]) -> None:
    """Pass on until the orders end."""
    way, orders = Conditions(), sys.stdin.fileno()
    while True:
        now = time.monotonic()
        wait = min(each.pass_on(now) for each in directions)
        sources = [each.source for each in directions]
        ready, _, _ = select.select([orders, *sources], [], [], max(0.0, wait))
        now = time.monotonic()
        for each in directions:
            if each.source in ready:
                with contextlib.suppress(BlockingIOError):
                    each.take(os.read(each.source, _LONGEST), way, now)
        if orders in ready:
            if not (line := os.read(orders, 1 << 12)):
                return
            for order in line.splitlines():
                way = replace(way, **json.loads(order))


class Cable:
    """The program, from outside: two namespaces and the way between them."""

    def __init__(self) -> None:
        """Call it in a namespace of one's own, as `alone` makes one."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.remote.packets"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders = self._process.stdin
        assert self._process.stdout.readline() == b"ready\n", "no cable"
        self._address = LAPTOP

    @property
    def beyond(self) -> list[str]:
        """What a command begins with that shall run in the box's namespace."""
        return ["nsenter", f"--net=/proc/{self._process.pid}/ns/net", "--"]

    def set(self, **conditions: float | bool) -> None:
        """Change some `Conditions`, from now on."""
        self._orders.write(json.dumps(conditions).encode() + b"\n")
        self._orders.flush()

    def move(self) -> None:
        """The laptop is in another network now: its old address is no more."""
        before, after = self._address, ELSEWHERE if self._address == LAPTOP else LAPTOP
        for words in (f"del {before}", f"add {after}"):  # the first takes the second with it
            subprocess.run(["ip", "address", *f"{words}/24 dev laptop".split()], check=True)
        self._address = after

    def close(self) -> None:
        """Take it away."""
        self._orders.close()
        self._process.wait()


def alone() -> str:
    """Why no namespaces can be made here; empty when they can."""
    try:
        probe = [*command(), "sh", "-c", "ip link set lo up && : </dev/net/tun"]
        done = subprocess.run(probe, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no bare namespace here: {error}"
    return f"no bare namespace here: {done.stderr.strip()}" if done.returncode else ""


def command() -> list[str]:
    """What a command begins with that shall run in a network namespace of its own."""
    return ["unshare", "-n" if os.geteuid() == 0 else "-rn", "--"]


if __name__ == "__main__":
    with contextlib.suppress(PermissionError):
        os.nice(-10)  # a cable does not wait for its turn
    laptop = device("laptop", LAPTOP)
    new_network()
    box = device("box", BOX)
    print("ready", flush=True)
    relay((Direction(laptop, box, 1), Direction(box, laptop, 2)))
