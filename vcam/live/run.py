"""A live run from its settings: open the devices and the engine, live, close everything."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from vcam.audio.reconnector import Reconnector
from vcam.audio.server import ServerWatch
from vcam.clock import slept
from vcam.config import RunConfig
from vcam.control import picture, requests
from vcam.engine.failover import neural_stages
from vcam.errors import ConfigError, VcamError
from vcam.live import devices, placeholder
from vcam.live.consumers import Consumers
from vcam.live.face import chosen_face, face_name
from vcam.live.reach import Act, Reach
from vcam.live.real import RealPicture
from vcam.live.session import SNAPSHOT_INTERVAL, Session
from vcam.live.watchers import Watchers
from vcam.media import Frame
from vcam.monitor.event_log import EventLog
from vcam.monitor.logs import log
from vcam.monitor.metrics import Metrics
from vcam.monitor.stats import Snapshot
from vcam.picture.badge import Stamp
from vcam.presence import Presence
from vcam.stages import Camera
from vcam.system import signals
from vcam.system.fine_timer import fine_timer
from vcam.system.limits import require_files

SWITCH = 0.001  # seconds a thread may keep the interpreter, so that drawing never delays a frame
SELDOM = 1.0  # seconds between two snapshots while nobody looks
SLEPT = 1.0  # seconds of the machine's sleep that are worth a line

Watcher = Callable[[Snapshot], None]


def live(
    config: RunConfig,
    watch: Watcher | None = None,
    alone: bool = False,
    meet: Callable[[Act], None] = lambda act: None,
) -> Snapshot:
    """Live until Ctrl-C, the end of the file, or `config.seconds`; return the last snapshot.

    `meet` is given what does a request, from any thread. Raises VcamError when something cannot
    be opened, or a camera fails; with `alone` also when another run of this user can be asked
    already.
    """
    require_files()
    sys.setswitchinterval(SWITCH)
    with (
        signals.listening() as answer,
        fine_timer(),
        Run(config, watch, alone) as run,
        answer.stopping(run.session.stop),
    ):
        meet(run.act)
        return run.live()


class Run:
    """A live run: its devices, its engine, and what may be asked of it while it lives."""

    def __init__(self, config: RunConfig, watch: Watcher | None, alone: bool = False) -> None:
        """Open everything; what was opened is closed again when something cannot be."""
        self._config, self._watch = config, watch
        self._coming = config  # the settings once the engine that is being loaded takes over
        self._now = Snapshot(presence=str(Presence.of(config.begin)))  # until it lives
        self._due, self._living = 0.0, False
        self._event_log, self._slept = EventLog(), slept()
        self._has_consumers = True  # whether anybody is there
        self._resting: bool | None = None  # whether microphone and voice are
        with ExitStack() as opening:
            self._reach = Reach(self.act, alone)
            opening.callback(self._reach.close)
            self._face = self._expected = chosen_face(config)
            self._finish = self._face.finishing(config.picture, config.fps)
            camera = devices.camera(config, self._face.facts())
            opening.callback(camera.close)
            self._link = devices.engine(config, self._face)
            opening.callback(self._link.close)
            self.session = self._session(camera)
            opening.callback(lambda: self.session.projector.camera.close())  # maybe another then
            self._watchers = Watchers(lambda: self.session.projector.camera)
            self._reconnector = Reconnector()
            self._server = ServerWatch(self._reconnector.wake)
            opening.callback(self._server.close)
            self._server.start()
            self._real = RealPicture(config, self.session)
            opening.callback(self._real.close)
            self._hearing = devices.Hearing(config, self._server, self._is_ready)
            self._hearing.rest(self.session.presence.still)
            self._source = self._hearing.opened(self.session.hear)
            self._voice = devices.voice(
                config,
                self.session.ring,
                self.session.leaving,
                self._server,
                lambda: self.session.is_direct,
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
        consumers = Consumers(lambda: session.projector.camera, heard, self._notice_consumers)
        tasks = [
            self._reconnector.check,
            lambda: self._real.check(self._link.status()),
            self._notice_face,
            consumers.look,
            self._notice_sleep,
        ]
        if config.metrics:
            tasks.append(Metrics(config.metrics, lambda: self._now).write_if_due)
        sound = (self._source, self._voice) if self._voice else (self._source,)
        mending = [self._watchers.look, *(device.mend for device in sound)]
        try:
            with self._reconnector.minding(*mending):
                return session.run(
                    self._source, config.seconds, None, self._voice, [*tasks, self._tell]
                )
        except VcamError as error:
            log.error("fails: %s", error)
            raise
        finally:
            self._living = False
            log.info("%s", self._event_log.end())

    def act(self, request: requests.Request) -> Mapping[str, Any]:
        """Do what the control socket was asked for. Raises VcamError when it cannot be done."""
        if isinstance(request, requests.Status | requests.Watch):
            now = self._look() if self._living else self._now
            return {"status": now.as_json(), "pid": os.getpid(), "service": _is_a_service()}
        if not self._living:
            raise ConfigError("vcam is still starting, or ends already; ask again in a moment")
        if isinstance(request, requests.Picture):
            return picture.packed(self.session.projector.picture, request.width, request.height)
        log.info("asked: %s", requests.told(request))
        return self._change(request) or {}

    def _change(self, request: requests.Request) -> Mapping[str, Any] | None:
        match request:
            case requests.Stop():
                self.session.stop()
            case requests.Switch(name):
                self._switch(replace(self._config, profile=name, look="", mode=""))
            case requests.Mode(mode):
                self._change_mode(mode)
            case requests.Camera(name):
                self._change_camera(replace(self._config, camera=name))
            case requests.Microphone(name):
                named = None if name == devices.DEFAULT else name
                self._hearing.choose(named)
                self._keep(replace(self._config, microphone=named, wav=None, loop=False))
            case requests.Express(gesture):
                self.session.express(gesture)
            case requests.Be(changes):
                presence = self._real.change(changes, self._link.status())
                self._rest_devices()
                self._keep(replace(self._config, begin=str(presence.lasting)))
                return {"presence": str(presence)}
        return None

    def _is_ready(self) -> bool:
        return self._link.status().state == "live"

    def _session(self, camera: Camera) -> Session:
        config, face = self._config, self._face
        session = Session(
            self._link,
            camera,
            config.fps,
            placeholder.portrait(face, devices.side(config, face)),
            lambda frame: self._finish(frame),
            privacy_screen=Stamp(face.badge)(
                Frame(-1, placeholder.privacy_screen(config.picture))
            ).array(),
        )
        session.profile = face_name(face)
        session.set_presence(Presence.of(config.begin))
        return session

    def _switch(self, config: RunConfig) -> None:
        """Load the face of `config`; it is on show once its engine takes over."""
        self._expected = chosen_face(config)
        self._coming = config
        self._link.switch(self._expected)

    def _change_mode(self, mode: str) -> None:
        if "artalk" not in neural_stages(self._face):
            motion = self._link.status().backends[:1] or (self._face.motion,)
            raise ConfigError(f"only ARTalk has modes; the motion here is {motion[0]}")
        self._switch(replace(self._config, mode=mode))

    def _change_camera(self, config: RunConfig) -> None:
        """Open the new camera before the old one is closed: a frame is late, none is missing."""
        camera = devices.camera(config, self._face.facts())
        before = self.session.projector.change_camera(camera)
        self._keep(config)
        before.close()

    def _notice_face(self) -> None:
        """Another engine has taken over: finish its frames as its profile says."""
        face = self._link.profile
        if face is self._face:
            return
        self._face = face
        self._finish = face.finishing(self._config.picture, self._config.fps)
        self.session.profile = face_name(face)
        if face is self._expected:
            name, look, mode = self._coming.profile, self._coming.look, self._coming.mode
            self._keep(replace(self._config, profile=name, look=look, mode=mode))

    def _notice_consumers(self, watched: bool, has_consumers: bool) -> None:
        """Whether anybody reads the camera; whether anybody reads it or the voice, or looks here.

        Microphone and voice rest while nobody does.
        """
        self.session.watched(watched)
        self._real.watched(watched)
        self._has_consumers = has_consumers or self._watch is not None or self._reach.watched
        self._rest_devices()

    def _rest_devices(self) -> None:
        resting = self.session.presence.still or not self._has_consumers
        if resting == self._resting:
            return
        self._resting = resting
        self._hearing.rest(resting)
        if self._voice:
            self._voice.rest(resting)
        self._reconnector.wake()

    def _notice_sleep(self) -> None:
        """Linux stops the clock of everything here while the machine sleeps."""
        before, self._slept = self._slept, slept()
        if self._slept - before > SLEPT:
            log.info("the machine slept for %.0f s", self._slept - before)
            self._real.end("the machine slept")

    def _keep(self, config: RunConfig) -> None:
        """These are the settings now."""
        self._config = config
        self._reach.keep(config)

    def _look(self) -> Snapshot:
        shown = self.session.projector.camera
        troubles = devices.troubles(self._source, self._voice, shown)
        ours = (*self._reach.troubles, self._real.trouble)
        return replace(
            self.session.snapshot(),
            trouble=(*troubles, *filter(None, ours)),
            readers=self._watchers.count,
            watchers=self._watchers.names,
            listeners=self._server.listeners if self._config.voice == "auto" else None,
        )

    def _tell(self) -> None:
        """Tell whoever watches, some ten times a second, and the log, at least once."""
        self._living = True
        seconds = self.session.seconds
        if seconds < self._due:
            return
        self._due = seconds + (SNAPSHOT_INTERVAL if self._reach.watched or self._watch else SELDOM)
        self._now = self._look()
        for entry in self._event_log.entries(self._now):
            log.info("%s", entry)
        if self._watch:
            self._watch(self._now)
        if self._reach.watched:
            self._reach.publish(self._now.as_json())


def _is_a_service() -> bool:
    """Whether systemd started this very process, and will start it again."""
    return os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())
