"""What TCP is asked for, on ways that lose packets and on thin ones."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest

from vcam.remote.sealed import Sealed, congested, tuned

OPTION = getattr(socket, "TCP_CONGESTION", None)
if OPTION is None:
    pytest.skip(
        "this system's sockets have no congestion control to choose", allow_module_level=True
    )


@pytest.fixture
def plain() -> Iterator[socket.socket]:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as made,
    ):
        yield made


def bare() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    return context


def control(plain: socket.socket) -> bytes:
    return plain.getsockopt(socket.IPPROTO_TCP, OPTION, 16).rstrip(b"\0")


def has(plain: socket.socket, name: bytes) -> bool:
    try:
        plain.setsockopt(socket.IPPROTO_TCP, OPTION, name)
    except OSError:
        return False
    return True


def test_a_kernel_that_refuses_costs_nothing(plain):
    before = control(plain)
    congested(plain, b"no such control")
    assert control(plain) == before


def test_a_thin_way_gets_another_control_and_a_wide_one_the_first_again(plain):
    if not (has(plain, b"bbr") and has(plain, b"cubic")):
        pytest.skip("this kernel does not let us have both")
    assert control(tuned(plain, 1 << 12)) == b"cubic"  # sound
    line = Sealed(tuned(plain), bare(), False)
    assert control(plain) == b"bbr"
    for thin, wanted in ((True, b"cubic"), (False, b"bbr")):
        line._thin(thin)
        assert control(plain) == wanted
