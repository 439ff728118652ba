"""Who is at the other end of a local socket, as the kernel tells."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys

import psutil


def peer_pid(line: socket.socket) -> int | None:
    """Who is at the other end of a connection, as the kernel tells; None where it does not."""
    if sys.platform == "win32":
        return _listener_at(line.getpeername())
    return _credentials(line)[0] if sys.platform == "linux" else None


def peer_is_ours(peer: socket.socket) -> bool:
    """Whether the other end is this user; elsewhere than on Linux the socket's mode must do."""
    return sys.platform != "linux" or _credentials(peer)[1] == os.getuid()


def _listener_at(address: tuple[str, int]) -> int | None:
    """Which process listens at this address of this machine."""
    with contextlib.suppress(psutil.Error, OSError):
        for each in psutil.net_connections("tcp4"):
            if each.status == psutil.CONN_LISTEN and tuple(each.laddr) == address:
                return each.pid
    return None


def _credentials(line: socket.socket) -> tuple[int, int]:
    """Process and user at the other end, as the kernel knows them (Linux)."""
    packed = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    process, user, _ = struct.unpack("3i", packed)
    return process, user
