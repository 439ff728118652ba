"""The real picture in place of the avatar, and every way in which it ends.

Nobody may be on camera without knowing. So it begins only by a request of its own, and ends by
itself when the picture was hidden or paused, the engine or the machine began anew, the camera was
lost, or the last meeting has left; what ended never comes back by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from vcam import clock
from vcam.camera.webcam import Webcam
from vcam.config import RunConfig
from vcam.errors import ConfigError
from vcam.live.session import Session
from vcam.media import Image
from vcam.monitor.logs import log
from vcam.monitor.stats import EngineStatus
from vcam.presence import Presence

TOLD = 15.0  # seconds for which people are told why it has ended


class RealPicture:
    """Changes the presence of `session`, of which the real picture is a part."""

    def __init__(
        self, config: RunConfig, session: Session, now: Callable[[], float] = clock.now
    ) -> None:
        self._device, self._size, self._fps = config.webcam, config.picture, config.fps
        self._session, self._now = session, now
        self._changing = threading.Lock()  # requests come on another thread than what ends it
        self._webcam: Webcam | None = None
        self._restarts = 0  # of the engine, when it began
        self._watched = True
        self._why, self._until = "", 0.0
        session.projector.real = self._picture

    @property
    def trouble(self) -> str:
        """Why it has ended, for a while; for people."""
        return self._why if self._now() < self._until else ""

    def change(self, changes: Mapping[str, bool], status: EngineStatus) -> Presence:
        """Change these switches of the presence; ConfigError where there is no real camera."""
        with self._changing:
            presence = self._session.presence.changed(changes)
            if changes.get("real"):
                self._begin(presence, status)
            self._session.set_presence(presence)
            if not presence.real:
                self._close()
            return presence

    def check(self, status: EngineStatus) -> None:
        """End it if it must; one of the rim's periodic tasks."""
        webcam = self._webcam
        if webcam is None:
            return
        if lost := webcam.lost:
            self.end(lost)
        elif status.restarts != self._restarts:
            self.end("the engine began anew")

    def watched(self, watched: bool) -> None:
        """Whether anybody reads the virtual camera: the next meeting shall not begin with it."""
        left, self._watched = self._watched and not watched, watched
        if left:
            self.end("nobody watches any more")

    def end(self, why: str) -> None:
        """The avatar again, and `why` for people; nothing where it is shown already."""
        with self._changing:
            if not self._session.presence.real:
                return
            self._close()
            self._session.set_presence(self._session.presence.changed({"real": False}))
            self._why = f"{why}: the avatar is shown again, not your real camera"
            self._until = self._now() + TOLD
        log.info("%s", self._why)

    def close(self) -> None:
        """Let go of the camera."""
        with self._changing:
            self._close()

    def _begin(self, presence: Presence, status: EngineStatus) -> None:
        if not self._device:
            raise ConfigError(
                "no real camera was named; start with: vcam run --webcam DEVICE (a path such as "
                "/dev/video0, or a number)"
            )
        if not presence.real:
            raise ConfigError("the picture is hidden or paused; first: vcam resume")
        if self._device in self._session.projector.camera.name.split():
            raise ConfigError(f"{self._device} is the virtual camera itself; name a real one")
        if self._webcam is None:
            self._restarts, self._until = status.restarts, 0.0
            self._webcam = Webcam(self._device, self._size, self._fps)

    def _picture(self) -> Image | None:
        webcam = self._webcam
        return None if webcam is None else webcam.picture()

    def _close(self) -> None:
        webcam, self._webcam = self._webcam, None
        if webcam is not None:
            webcam.close()
