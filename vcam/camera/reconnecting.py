"""Cameras that a live run can lose: a device that comes back, and a film that does not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from vcam import clock
from vcam.errors import DeviceError, MediaError
from vcam.media import AudioChunk, Frame
from vcam.stages import Camera, Counting, Naming, Recorder, Watched

PAUSE = 0.5  # seconds between two attempts to open it again


class ReconnectingCamera:
    """Sends to a camera, and opens it again when it fails; a device that is gone raises nothing."""

    def __init__(
        self, open_camera: Callable[[], Camera], now: Callable[[], float] = clock.now
    ) -> None:
        """Raises DeviceError when it cannot be opened at all: that is for the user to mend."""
        self._open, self._now = open_camera, now
        self._camera: Camera | None = open_camera()
        self._due = 0.0
        self.name, self.format = self._camera.name, self._camera.format
        self.trouble = ""  # why nobody sees anything, for people
        self.reopened = 0

    def send(self, frame: Frame) -> None:
        """Show `frame`, if there is a camera to show it."""
        camera = self._camera or self._reopened()
        if camera is None:
            return
        try:
            camera.send(frame)
        except DeviceError as error:
            self._lose(str(error))

    def readers(self) -> int | None:
        """How many programs watch; None when that cannot be known, as while it is gone."""
        camera = self._camera
        return camera.readers() if isinstance(camera, Watched) else None

    def watchers(self) -> list[str]:
        """Names of the programs that watch, as far as they are known; asking takes a while."""
        camera = self._camera
        return camera.watchers() if isinstance(camera, Naming) else []

    def close(self) -> None:
        """Let go of the device."""
        if self._camera is not None:
            self._camera.close()
        self._camera = None
        self._due = float("inf")

    def _lose(self, trouble: str) -> None:
        self.trouble, self._due = trouble, self._now() + PAUSE
        if self._camera is not None:
            with contextlib.suppress(DeviceError):
                self._camera.close()
        self._camera = None

    def _reopened(self) -> Camera | None:
        if self._now() < self._due:
            return None
        try:
            self._camera = self._open()
        except DeviceError as error:
            self._lose(str(error))
            return None
        self.name, self.format = self._camera.name, self._camera.format
        self.trouble = ""
        self.reopened += 1
        return self._camera


class GuardedFilm:
    """A film of a live run: when it cannot be written any more, voice and face go on without it.

    The run ends with the film's error all the same, once it ends.
    """

    def __init__(self, film: Recorder) -> None:
        self._film = film
        self.name, self.format = film.name, film.format
        self._failure: MediaError | None = None

    @property
    def trouble(self) -> str:
        """Why nothing is kept, for people."""
        return str(self._failure or "")

    @property
    def pictures(self) -> int:
        """How many were written."""
        return self._film.pictures if isinstance(self._film, Counting) else 0

    def hear(self, sound: AudioChunk) -> None:
        """Append `sound`, if the film can still be written."""
        if self._failure is None:
            self._film.hear(sound)

    def send(self, frame: Frame) -> None:
        """Append `frame`, if the film can still be written."""
        if self._failure is not None:
            return
        try:
            self._film.send(frame)
        except MediaError as error:
            self._failure = error

    def close(self) -> None:
        """Finish the film; MediaError if it could not be written."""
        if self._failure is not None:
            raise self._failure
        self._film.close()
