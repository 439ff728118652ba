"""This user's PipeWire: whether it runs, and a stream of ours on it.

A loop of libpipewire's own thread talks to the server; who touches the stream holds its lock.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vcam import clock
from vcam.errors import DeviceError
from vcam.system import missing, pods

PATIENCE = 5.0  # seconds for the server to take a stream in
START = "systemctl --user start pipewire wireplumber"
RESTART = "systemctl --user restart pipewire wireplumber"

_connected: set[Stream] = set()  # the library calls them: none may go before it is closed


class Stream:
    """Something that gives pictures or sound; `locked` while it is touched.

    `wanted` are the parameters of its buffers, said once a format is agreed on.
    """

    def __init__(self, name: str, told: Mapping[str, str], wanted: tuple[bytes, ...]) -> None:
        """`told` is what the server says of it to programs. DeviceError: no PipeWire to use."""
        self.native = missing.PIPEWIRE.load()
        self.state = self.native.CONNECTING
        self._name, self._told, self._wanted = name, told, wanted
        self._reason = ""
        self._due = clock.now() + PATIENCE
        self._hook = ctypes.create_string_buffer(self.native.LISTENER)
        self._stack = contextlib.ExitStack()

    def open(self, offered: bytes, flags: int, **events: Any) -> None:
        """Offer the format `offered`, without waiting for an answer; `events` are called then."""
        native = self.native
        self._events = native.Events(
            state_changed=native.StateChanged(self._changed),
            param_changed=native.ParamChanged(self._agreed),
            **events,
        )
        with contextlib.ExitStack() as opening:
            _connected.add(self)
            opening.callback(_connected.discard, self)
            self._connect(opening)
            with self.locked():
                self._offer(offered, flags)
            self._stack = opening.pop_all()

    def close(self) -> None:
        """Take it away."""
        self._stack.close()

    def require_server(self) -> None:
        """DeviceError once the server has gone, or where it does not answer."""
        if self.state < self.native.CONNECTING:
            why = f" ({self._reason})" if self._reason else ""
            raise DeviceError(f"PipeWire has gone{why}; run: {RESTART}")
        if self.state == self.native.CONNECTING and clock.now() > self._due:
            raise DeviceError(f"PipeWire does not answer; run: {RESTART}")

    @contextlib.contextmanager
    def locked(self) -> Iterator[int]:
        """The stream, while the library's thread waits."""
        self.native.library.pw_thread_loop_lock(self._loop)
        try:
            yield self._stream
        finally:
            self.native.library.pw_thread_loop_unlock(self._loop)

    def _connect(self, opening: contextlib.ExitStack) -> None:
        """Make a stream at the server; `opening` takes apart what was made for it."""
        pw, self._stream = self.native.library, 0
        self._loop = pw.pw_thread_loop_new(f"vcam-{self._name}".encode(), None)
        opening.callback(pw.pw_thread_loop_destroy, self._loop)
        context = self._context(pw)
        opening.callback(pw.pw_context_destroy, context)
        pw.pw_thread_loop_start(self._loop)
        opening.callback(pw.pw_thread_loop_stop, self._loop)
        with self.locked():
            core = pw.pw_context_connect(context, None, 0)
            if not core:
                raise DeviceError(f"PipeWire takes nobody in; run: {RESTART}")
            opening.callback(self._with_lock, pw.pw_core_disconnect, core)
            self._stream = pw.pw_stream_new(core, self._name.encode(), properties(self._told))
            opening.callback(self._with_lock, pw.pw_stream_destroy, self._stream)

    def _context(self, pw: Any) -> int:
        """Its thread for cycles gets real-time priority where the user may, as of audio programs.

        Newer versions give it to all, and need not know that configuration any more.
        """
        loop = pw.pw_thread_loop_get_loop(self._loop)
        prompt = pw.pw_properties_new_string(b'config.name = "client-rt.conf"')
        return pw.pw_context_new(loop, prompt, 0) or pw.pw_context_new(loop, None, 0) or 0

    def _offer(self, offered: bytes, flags: int) -> None:
        native, pw = self.native, self.native.library
        pw.pw_stream_add_listener(self._stream, self._hook, ctypes.byref(self._events), None)
        flags |= native.MAP_BUFFERS
        found = pw.pw_stream_connect(
            self._stream, native.OUTPUT, native.ANY, flags, *parameters(offered)
        )
        if found < 0:
            raise DeviceError(f"PipeWire refuses a {self._name}; run: {RESTART}")

    def _changed(self, _: object, before: int, state: int, error: bytes | None) -> None:
        """The loop's thread tells how it is with the stream."""
        self.state, self._reason = state, (error or b"").decode(errors="replace")

    def _agreed(self, _: object, parameter: int, pod: int | None) -> None:
        """The loop's thread tells of what was agreed on; to a format belong its buffers."""
        if parameter == pods.CURRENT_FORMAT and pod:
            self.native.library.pw_stream_update_params(self._stream, *parameters(*self._wanted))

    def _with_lock(self, call: Callable[[int], object], argument: int) -> None:
        with self.locked():
            call(argument)


def is_served() -> bool:
    """Whether a PipeWire runs here for this user; it is not asked anything."""
    if sys.platform != "linux":
        return False
    with (
        contextlib.suppress(OSError),  # a path that no socket can have
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking,
    ):
        asking.setblocking(False)
        return asking.connect_ex(str(address())) == 0
    return False


def address() -> Path:
    """The socket of this user's PipeWire, found as libpipewire finds it."""
    folder = os.environ.get("PIPEWIRE_RUNTIME_DIR") or os.environ.get("XDG_RUNTIME_DIR")
    name = os.environ.get("PIPEWIRE_REMOTE") or "pipewire-0"
    return Path(folder or "/run/pipewire") / name


def properties(told: Mapping[str, str]) -> int:
    """Words about a node as libpipewire takes them, which owns them then."""
    text = " ".join(f'{key} = "{value}"' for key, value in told.items())
    return int(missing.PIPEWIRE.load().library.pw_properties_new_string(text.encode()))


def parameters(*each: bytes) -> tuple[Any, int]:
    """Pods as libpipewire takes them, which copies them."""
    return (ctypes.c_char_p * len(each))(*each), len(each)
