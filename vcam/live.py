"""A live run from its settings: open the devices and the engine, live, close everything."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vcam import profile
from vcam.audio import portaudio
from vcam.audio.microphone import Microphone, WavFile
from vcam.audio.portaudio import default_source
from vcam.audio.steady import Occasionally, SteadySource
from vcam.audio.virtual_mic import VirtualMicrophone
from vcam.camera.open import FILM, open_camera
from vcam.camera.steady import SteadyCamera
from vcam.config import RunConfig
from vcam.control import ControlServer, Request, Status, Stop, Switch, Watch
from vcam.errors import DeviceError
from vcam.finish import facts, finishing
from vcam.link.child import ChildLink
from vcam.media import Image
from vcam.session import Session
from vcam.stages import Camera
from vcam.stats import Snapshot

SWITCH = 0.001  # seconds a thread may keep the interpreter, so that drawing never delays a frame


def live(config: RunConfig, watch: Callable[[Snapshot], None] = lambda now: None) -> Snapshot:
    """Live until Ctrl-C, the end of the file, or `config.seconds`; return the last snapshot.

    Raises VcamError when something cannot be opened, or a camera fails.
    """
    sys.setswitchinterval(SWITCH)
    with Run(config, watch) as run, _signals(run.session.stop):
        return run.live()


class Run:
    """A live run: its devices, its engine, and what may be asked of it while it lives."""

    def __init__(self, config: RunConfig, watch: Callable[[Snapshot], None]) -> None:
        """Open everything; what was opened is closed again when something cannot be."""
        self._config, self._watch = config, watch
        self._now = Snapshot()
        chosen = profile.load(config.profile)
        chosen.require_consent()
        self._finish = finishing(chosen, config.picture, config.fps)
        with ExitStack() as opening:
            self._camera = _camera(config, facts(chosen))
            opening.callback(self._camera.close)
            self._link = ChildLink(chosen, config.fps, config.size)
            opening.callback(self._link.close)
            portrait = placeholder(chosen.placeholder, config.size)
            self.session = Session(
                self._link, self._camera, config.fps, portrait, lambda frame: self._finish(frame)
            )
            self.session.profile = config.profile
            self._source = _source(config, self.session)
            self._control = _listening(self.act)
            if self._control:
                opening.callback(self._control.close)
            self._closing = opening.pop_all()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.close()

    def live(self) -> Snapshot:
        """Live until the end."""
        voice = _voice(self._config, self.session)
        chores = [self._source.mend]
        return self.session.run(self._source, self._config.seconds, self._tell, voice, chores)

    def act(self, request: Request) -> Mapping[str, Any]:
        """Do what the control socket was asked for. Raises VcamError when it cannot be done."""
        match request:
            case Stop():
                self.session.stop()
            case Switch(name):
                self._switch(name)
            case Status() | Watch():
                return {"status": self._now.as_json()}
        return {}

    def _switch(self, name: str) -> None:
        chosen = profile.load(name)
        chosen.require_consent()
        self._link.switch(chosen)
        self._finish = finishing(chosen, self._config.picture, self._config.fps)
        self.session.profile = name

    def _tell(self, now: Snapshot) -> None:
        self._now = replace(now, trouble=_troubles(self._source, self._camera))
        self._watch(self._now)
        if self._control and self._control.watched:
            self._control.publish(self._now.as_json())


def _listening(act: Callable[[Request], Mapping[str, Any]]) -> ControlServer | None:
    """The started server; None where there can be none, or another run of this user has it."""
    if not hasattr(socket, "AF_UNIX"):
        return None
    try:
        control = ControlServer(act)
        control.start()
    except DeviceError:
        return None
    return control


def _camera(config: RunConfig, told: dict[str, str]) -> Camera:
    """The camera; one that is a device comes back by itself when it was taken away."""
    if config.camera == "none" or config.camera.lower().endswith(FILM):
        return open_camera(config.camera, config.picture, config.fps, told)
    return SteadyCamera(lambda: open_camera(config.camera, config.picture, config.fps))


def _source(config: RunConfig, session: Session) -> SteadySource:
    wav, name = config.wav, config.microphone
    if wav is not None:
        return SteadySource(lambda hear: WavFile(wav, hear), session.hear)
    wanted = Occasionally(default_source) if name is None else str
    return SteadySource(lambda hear: Microphone(name, hear), session.hear, wanted)


def _troubles(source: SteadySource, camera: Camera) -> tuple[str, ...]:
    """What is wrong with the devices now."""
    seen = camera.trouble if isinstance(camera, SteadyCamera) else ""
    return tuple(trouble for trouble in (source.trouble, seen) if trouble)


def placeholder(path: Path | None, size: int) -> Image | None:
    """The portrait at `path` as [size, size, 3] RGB, or None when there is none."""
    picture = None if path is None else cv2.imread(str(path))
    if picture is None:
        return None
    picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _voice(config: RunConfig, session: Session) -> VirtualMicrophone | None:
    """The virtual microphone; "auto" does without where none can be made."""
    if config.voice == "none" or (config.voice == "auto" and not _can_make_voice()):
        return None
    device = None if config.voice == "auto" else config.voice
    return VirtualMicrophone(session.ring, session.leaving, device)


def _can_make_voice() -> bool:
    if portaudio.server_name() is None:
        return False
    try:
        portaudio.require_bridge()
    except DeviceError:
        return False
    return True


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and a polite kill end the run cleanly; a second one ends it at once."""

    def handle(number: int, _frame: object) -> None:
        signal.signal(number, signal.default_int_handler)
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
