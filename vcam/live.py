"""A live run from its settings: open the devices and the engine, live, close everything."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from vcam import curtain, devices, logs, profile, requests, settings
from vcam.audience import Audience
from vcam.audio.mender import Mender
from vcam.audio.server import ServerWatch
from vcam.badge import Stamp
from vcam.cast import neural_stages
from vcam.clock import slept
from vcam.config import RunConfig
from vcam.control import ControlServer
from vcam.diary import Diary
from vcam.errors import ConfigError, DeviceError, VcamError
from vcam.finish import facts, finishing
from vcam.link.child import ChildLink
from vcam.logs import log
from vcam.media import Frame
from vcam.metrics import Metrics
from vcam.presence import Presence
from vcam.profile import Profile
from vcam.session import LOOK, Session
from vcam.stages import Camera
from vcam.stats import Snapshot

SWITCH = 0.001  # seconds a thread may keep the interpreter, so that drawing never delays a frame
SELDOM = 1.0  # seconds between two snapshots while nobody looks
SLEPT = 1.0  # seconds of the machine's sleep that are worth a line

Watcher = Callable[[Snapshot], None]


def live(config: RunConfig, watch: Watcher | None = None, alone: bool = False) -> Snapshot:
    """Live until Ctrl-C, the end of the file, or `config.seconds`; return the last snapshot.

    Raises VcamError when something cannot be opened, or a camera fails; with `alone` also when
    another run of this user can be asked already.
    """
    sys.setswitchinterval(SWITCH)
    with Run(config, watch, alone) as run, _signals(run.session.stop):
        return run.live()


class Run:
    """A live run: its devices, its engine, and what may be asked of it while it lives."""

    def __init__(self, config: RunConfig, watch: Watcher | None, alone: bool = False) -> None:
        """Open everything; what was opened is closed again when something cannot be."""
        self._config, self._watch = config, watch
        self._coming = config  # the settings once the engine that is being loaded takes over
        self._now = Snapshot(presence=str(Presence.of(config.begin)))  # until it lives
        self._due, self._living = 0.0, False
        self._diary, self._slept = Diary(), slept()
        self._attended = True  # whether anybody is there
        self._resting: bool | None = None  # whether microphone and voice are
        with ExitStack() as opening:
            self._control = _listening(self.act, alone)
            if self._control:
                opening.callback(self._control.close)
                opening.enter_context(logs.opened())
            self._face = self._expected = _face(config)
            self._finish = finishing(self._face, config.picture, config.fps)
            camera = devices.camera(config, facts(self._face))
            opening.callback(lambda: self.session.projector.camera.close())
            self._link = ChildLink(self._face, config.fps, config.size)
            opening.callback(self._link.close)
            self.session = self._session(camera)
            self._mender = Mender()
            self._server = ServerWatch(self._mender.wake)
            opening.callback(self._server.close)
            self._server.start()
            self._hearing = devices.Hearing(config, self._server)
            self._hearing.rest(self.session.presence.still)
            self._source = self._hearing.opened(self.session.hear)
            self._voice = devices.voice(
                config, self.session.ring, self.session.leaving, self._server
            )
            self._closing = opening.pop_all()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.close()

    def live(self) -> Snapshot:
        """Live until the end."""
        config, session = self._config, self.session
        self._keep(config)
        heard = devices.heard(config, self._server)
        audience = Audience(lambda: session.projector.camera.name, heard, self._attend)
        chores = [self._mender.check, self._notice_face, audience.look, self._notice_sleep]
        if config.metrics:
            chores.append(Metrics(config.metrics, lambda: self._now).write_if_due)
        sound = (self._source, self._voice) if self._voice else (self._source,)
        try:
            with self._mender.minding(*(device.mend for device in sound)):
                return session.run(
                    self._source, config.seconds, None, self._voice, [*chores, self._tell]
                )
        except VcamError as error:
            log.error("fails: %s", error)
            raise
        finally:
            self._living = False
            log.info("%s", self._diary.end())

    def act(self, request: requests.Request) -> Mapping[str, Any]:
        """Do what the control socket was asked for. Raises VcamError when it cannot be done."""
        if isinstance(request, requests.Status | requests.Watch):
            now = self._look() if self._living else self._now
            return {"status": now.as_json(), "pid": os.getpid(), "service": _is_a_service()}
        if not self._living:
            raise ConfigError("vcam is still starting, or ends already; ask again in a moment")
        log.info("asked: %s", requests.told(request))
        match request:
            case requests.Stop():
                self.session.stop()
            case requests.Switch(name):
                self._switch(replace(self._config, profile=name, mode=""))
            case requests.Mode(mode):
                self._change_mode(mode)
            case requests.Camera(name):
                self._change_camera(replace(self._config, camera=name))
            case requests.Microphone(name):
                named = None if name == devices.DEFAULT else name
                self._hearing.choose(named)
                self._keep(replace(self._config, microphone=named, wav=None, loop=False))
            case requests.Be(changes):
                presence = replace(self.session.presence, **changes)
                self.session.be(presence)
                self._rest_devices()
                self._keep(replace(self._config, begin=str(presence)))
                return {"presence": str(presence)}
        return {}

    def _session(self, camera: Camera) -> Session:
        config, face = self._config, self._face
        session = Session(
            self._link,
            camera,
            config.fps,
            curtain.portrait(face.placeholder, config.size),
            lambda frame: self._finish(frame),
            card=Stamp(face.badge)(Frame(-1, curtain.card(config.picture))).array(),
        )
        session.profile = _name(face)
        session.be(Presence.of(config.begin))
        return session

    def _switch(self, config: RunConfig) -> None:
        """Load the face of `config`; it is on show once its engine takes over."""
        self._expected = _face(config)
        self._coming = config
        self._link.switch(self._expected)

    def _change_mode(self, mode: str) -> None:
        if "artalk" not in neural_stages(self._face):
            motion = self._link.status().backends[:1] or (self._face.motion,)
            raise ConfigError(f"only ARTalk has modes; the motion here is {motion[0]}")
        self._switch(replace(self._config, mode=mode))

    def _change_camera(self, config: RunConfig) -> None:
        """Open the new camera before the old one is closed: a frame is late, none is missing."""
        camera = devices.camera(config, facts(self._face))
        before = self.session.projector.change_camera(camera)
        self._keep(config)
        before.close()

    def _notice_face(self) -> None:
        """Another engine has taken over: finish its frames as its profile says."""
        face = self._link.profile
        if face is self._face:
            return
        self._face = face
        self._finish = finishing(face, self._config.picture, self._config.fps)
        self.session.profile = _name(face)
        if face is self._expected:
            coming = self._coming
            self._keep(replace(self._config, profile=coming.profile, mode=coming.mode))

    def _attend(self, watched: bool, attended: bool) -> None:
        """Whether anybody reads the camera; whether anybody reads it or the voice, or looks here.

        Microphone and voice rest while nobody does.
        """
        self.session.watched(watched)
        self._attended = attended or self._watch is not None or self._is_monitored
        self._rest_devices()

    def _rest_devices(self) -> None:
        resting = self.session.presence.still or not self._attended
        if resting == self._resting:
            return
        self._resting = resting
        self._hearing.rest(resting)
        if self._voice:
            self._voice.rest(resting)
        self._mender.wake()

    @property
    def _is_monitored(self) -> bool:
        return self._control is not None and self._control.watched

    def _notice_sleep(self) -> None:
        """Linux stops the clock of everything here while the machine sleeps."""
        before, self._slept = self._slept, slept()
        if self._slept - before > SLEPT:
            log.info("the machine slept for %.0f s", self._slept - before)

    def _keep(self, config: RunConfig) -> None:
        """These are the settings now, also for a run that begins after a crash."""
        self._config = config
        if self._control:
            try:
                settings.keep(config)
            except (OSError, VcamError) as error:
                log.warning("the settings cannot be kept: %s", error)

    def _look(self) -> Snapshot:
        shown = self.session.projector.camera
        troubles = devices.troubles(self._source, self._voice, shown)
        return replace(self.session.snapshot(), trouble=troubles)

    def _tell(self) -> None:
        """Tell whoever watches, 8 times a second, and the log, at least once."""
        self._living = True
        seconds = self.session.seconds
        if seconds < self._due:
            return
        self._due = seconds + (LOOK if self._is_monitored or self._watch else SELDOM)
        self._now = self._look()
        for entry in self._diary.entries(self._now):
            log.info("%s", entry)
        if self._watch:
            self._watch(self._now)
        if self._control and self._control.watched:
            self._control.publish(self._now.as_json())


def _listening(
    act: Callable[[requests.Request], Mapping[str, Any]], alone: bool
) -> ControlServer | None:
    """The started server; None where there can be none, or another run of this user has it."""
    if not hasattr(socket, "AF_UNIX"):
        return None
    try:
        control = ControlServer(act)
        control.start()
    except DeviceError:
        if alone:
            raise
        return None
    return control


def _face(config: RunConfig) -> Profile:
    """The profile to be shown, in the mode that was asked for; ConfigError if it may not."""
    chosen = profile.load(config.profile)
    chosen.require_consent()
    return replace(chosen, mode=config.mode) if config.mode else chosen


def _is_a_service() -> bool:
    """Whether systemd started this very process, and will start it again."""
    return os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())


def _name(face: Profile) -> str:
    return face.folder.name if face.folder else "demo"


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
