"""Who listens to the virtual microphone keeps it, though the sound server would move them away.

PulseAudio moves the streams of the default source to the next one when the default changes, also
those that have asked for it by name. While the only microphone is unplugged, or the server has just
been started, ours is the default. Then the meeting would hear the microphone that is plugged in:
at once instead of with its picture, and though the user is muted.
"""

from __future__ import annotations

import contextlib
from typing import Any

from vcam.audio.portaudio import OWN_SOURCE


class Listeners:
    """The streams that belong to the virtual microphone, on one connection to the server."""

    def __init__(self, server: Any) -> None:
        """`server`: a `pulsectl.Pulse`."""
        self._server = server
        self._here: dict[int, bool] = {}  # whether each stream heard ours, at the last look
        self._ours: set[int] = set()  # those that chose ours, or that the user has given it
        self._before: tuple[str, int | None] = "", None  # `_devices` then

    def keep(self) -> None:
        """Look once, after an event; bring back who was moved together with the default."""
        devices = self._devices()
        streams = {each.index: each.source for each in self._server.source_output_list()}
        if self._devices() != devices:
            return  # they have just changed: that is the next event
        settled, self._before = self._before == devices, devices
        _, own = devices
        self._ours &= streams.keys()
        self._here = {
            stream: self._judged(stream, source == own, settled, own)
            for stream, source in streams.items()
        }

    def _judged(self, stream: int, here: bool, settled: bool, own: int | None) -> bool:
        """Whether it hears ours, after it was brought back if that was right."""
        before = self._here.get(stream)
        if before is None or (here != before and settled):  # its own choice, or the user's
            (self._ours.add if here else self._ours.discard)(stream)
        elif stream in self._ours and not here and own is not None:
            return self._bring_back(stream, own)
        return here

    def _bring_back(self, stream: int, own: int) -> bool:
        import pulsectl

        with contextlib.suppress(pulsectl.PulseError):  # it has ended, or must not be moved
            self._server.source_output_move(stream, own)
            return True
        return False

    def _devices(self) -> tuple[str, int | None]:
        """The default source, and the number of ours."""
        ours = [each.index for each in self._server.source_list() if each.name == OWN_SOURCE]
        return str(self._server.server_info().default_source_name), ours[0] if ours else None
