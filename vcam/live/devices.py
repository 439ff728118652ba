"""The devices at both ends of a run, opened by the names that the user gives them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from vcam import clock
from vcam.audio import portaudio
from vcam.audio.microphone import Hear, Microphone, PreparedSound, WavFile
from vcam.audio.reconnecting import ReconnectingMicrophone, Source
from vcam.audio.reconnecting_voice import ReconnectingVoice
from vcam.audio.ring import RingBuffer
from vcam.audio.server import ServerWatch
from vcam.audio.virtual_mic import VirtualMicrophone
from vcam.camera.open import open_camera
from vcam.camera.reconnecting import GuardedFilm, ReconnectingCamera
from vcam.camera.side_by_side import SideBySide, reconnecting
from vcam.config import RunConfig
from vcam.errors import DeviceError
from vcam.link.child import ChildLink
from vcam.media import TICKS_PER_SECOND, FloatArray
from vcam.profiles.profile import Profile
from vcam.remote.address import far
from vcam.remote.engine import remote_link
from vcam.stages import Camera, Recorder

DEFAULT = "default"  # the microphone that the system prefers, whichever that is


def side(config: RunConfig, profile: Profile) -> int:
    """Pixels of the square that is drawn."""
    return config.side(profile.renderer, profile.framing.zoom)


def engine(config: RunConfig, profile: Profile) -> ChildLink:
    """What makes the frames: a process here, or a machine that was asked for. ConfigError."""
    if config.engine:
        return remote_link(far(config.engine), profile, config.fps, side(config, profile))
    return ChildLink(profile, config.fps, side(config, profile))


class Nobody(PreparedSound):
    """In a microphone's place while no sound is wanted: silence, in few blocks."""

    def __init__(self, hear: Hear) -> None:
        silence = np.zeros(TICKS_PER_SECOND // 10, np.float32)
        super().__init__("off", silence, hear, True, clock.now, time.sleep)

    def blocks(self) -> Iterator[FloatArray]:
        """A tenth of a second each, for ever."""
        while True:
            yield self._samples


class Hearing:
    """Where the sound comes from: a file, one microphone, or the default one as it changes."""

    def __init__(
        self, config: RunConfig, server: ServerWatch, ready: Callable[[], bool] = lambda: True
    ) -> None:
        """`server` knows which microphones there are; a file begins once all is `ready` for it."""
        self._ready = ready
        self._wav, self._loop, self._name = config.wav, config.loop, config.microphone
        self._server, self._resting = server, False

    def opened(self, hear: Hear) -> ReconnectingMicrophone:
        """The source, not started yet; it follows what is chosen. Raises VcamError."""
        return ReconnectingMicrophone(self._open, hear, self._wanted)

    def choose(self, name: str | None) -> None:
        """Listen to the microphone `name` from now on, None for the default one.

        DeviceError when there is none of that name. Opened by whoever mends the source.
        """
        Microphone(name, lambda samples: None)  # finds it, and opens nothing
        self._wav, self._name = None, name

    def rest(self, resting: bool) -> None:
        """Let go of the microphone: its light goes out. Or open it again. A file plays on."""
        self._resting = resting

    def _open(self, hear: Hear) -> Source:
        if self._resting and self._wav is None:
            return Nobody(hear)
        if self._wav is not None:
            return WavFile(self._wav, hear, self._loop, ready=self._ready)
        return Microphone(self._name, hear)

    def _wanted(self) -> str:
        if self._resting and self._wav is None:
            return "nobody"
        if self._wav is not None:
            return f"file {self._wav}"
        if known := self._server.microphone(self._name):
            return known
        return f"named {self._name or portaudio.preferred()}"


def camera(config: RunConfig, told: Mapping[str, str]) -> Camera:
    """The camera; one that is a device comes back by itself when it was taken away.

    `told` is what a film says about itself. A film of a file is the run's whole purpose, and ends
    it when it fails; a film of somebody who speaks does not cut off the voice.
    """
    if config.films:
        film = open_camera(config.camera, config.picture, config.fps, told)
        return GuardedFilm(film) if config.wav is None and isinstance(film, Recorder) else film
    return reconnecting(config.camera, config.picture, config.fps)


def voice(
    config: RunConfig,
    ring: RingBuffer,
    leaving: Callable[[float], float | None],
    server: ServerWatch,
    patient: Callable[[], bool] = lambda: False,
) -> ReconnectingVoice | None:
    """The virtual microphone, which comes back; "auto" does without where none can be made.

    While it is `patient` it catches up without leaving a word out.
    """
    if config.voice == "none" or (config.voice == "auto" and not _can_make_voice()):
        return None
    device = None if config.voice == "auto" else config.voice
    if device is not None:
        return ReconnectingVoice(lambda: VirtualMicrophone(ring, leaving, device, patient=patient))
    return ReconnectingVoice(
        lambda: VirtualMicrophone(ring, leaving, kept=lambda: server.keeps_own, patient=patient),
        lambda: server.virtual_microphone,
        keep=server.keep_own,
        takes_sound=lambda: server.takes_sound,
    )


def heard(config: RunConfig, server: ServerWatch) -> Callable[[], bool]:
    """Whether anybody may be listening to the virtual microphone: of our own it is known."""
    if config.voice == "none":
        return lambda: False
    return (lambda: server.is_heard) if config.voice == "auto" else (lambda: True)


def troubles(
    source: ReconnectingMicrophone, voice: ReconnectingVoice | None, camera: Camera
) -> tuple[str, ...]:
    """What is wrong with the devices now."""
    telling = ReconnectingCamera | SideBySide | GuardedFilm
    seen = camera.trouble if isinstance(camera, telling) else ""
    said = voice.trouble if voice else ""
    return tuple(trouble for trouble in (source.trouble, said, seen) if trouble)


def _can_make_voice() -> bool:
    if portaudio.server_name() is None:
        return False
    try:
        portaudio.require_bridge()
    except DeviceError:
        return False
    return True
