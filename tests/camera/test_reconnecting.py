import numpy as np
import pytest

from tests.fakes import HandClock
from vcam.camera.memory import MemoryCamera
from vcam.camera.reconnecting import PAUSE, GuardedFilm, ReconnectingCamera
from vcam.errors import DeviceError, MediaError
from vcam.media import AudioChunk, Frame

FRAME = Frame(0, np.zeros((4, 4, 3), np.uint8))


class Bay:
    """A device that can be pulled out."""

    def __init__(self) -> None:
        self.clock, self.there = HandClock(), True
        self.cameras: list[Pluggable] = []

    def open(self):
        if not self.there:
            raise DeviceError("no such camera")
        self.cameras.append(Pluggable(self))
        return self.cameras[-1]

    def film(self, camera, seconds) -> None:
        for _ in range(int(seconds * 30)):
            self.clock.time += 1 / 30
            camera.send(FRAME)


class Pluggable(MemoryCamera):
    def __init__(self, bay) -> None:
        super().__init__()
        self._bay, self.closed = bay, False

    def send(self, frame) -> None:
        if not self._bay.there:
            raise DeviceError("the device is gone")
        super().send(frame)

    def close(self) -> None:
        self.closed = True
        super().close()


def test_a_camera_that_goes_and_comes_is_fed_again():
    bay = Bay()
    camera = ReconnectingCamera(bay.open, bay.clock)
    bay.film(camera, 1)
    bay.there = False
    bay.film(camera, 2)
    assert camera.trouble == "no such camera"
    assert bay.cameras[0].closed
    bay.there = True
    bay.film(camera, 1)
    assert camera.trouble == ""
    assert camera.reopened == 1
    assert bay.cameras[1].sent >= 30 * (1 - PAUSE) - 2


def test_what_cannot_be_opened_at_first_is_an_error():
    bay = Bay()
    bay.there = False
    with pytest.raises(DeviceError, match="no such camera"):
        ReconnectingCamera(bay.open)


def test_a_closed_camera_stays_closed():
    bay = Bay()
    camera = ReconnectingCamera(bay.open, bay.clock)
    camera.close()
    bay.film(camera, 3)
    assert len(bay.cameras) == 1
    assert bay.cameras[0].sent == 0


def test_a_full_disk_is_not_a_camera_that_comes_back():
    class Full(MemoryCamera):
        def send(self, frame) -> None:
            raise MediaError("cannot write film.mp4: No space left on device")

    camera = ReconnectingCamera(Full)
    with pytest.raises(MediaError, match="No space left"):
        camera.send(FRAME)


class FullDisk(MemoryCamera):
    """A film that cannot grow beyond `room` frames."""

    def __init__(self, room) -> None:
        super().__init__(name="film.mp4")
        self.room, self.blocks, self.closed = room, 0, False

    def send(self, frame) -> None:
        if self.sent >= self.room:
            raise MediaError("cannot write film.mp4: no space left")
        super().send(frame)

    def hear(self, sound) -> None:
        self.blocks += 1

    def close(self) -> None:
        self.closed = True


def test_a_film_that_can_be_written_is_written_and_finished():
    film = FullDisk(room=10)
    steady = GuardedFilm(film)
    steady.hear(AudioChunk(0, np.zeros(480, np.float32)))
    steady.send(FRAME)
    steady.close()
    assert (film.sent, film.blocks, film.closed, steady.trouble) == (1, 1, True, "")


def test_a_full_disk_ends_the_film_but_not_the_run_and_is_told_twice():
    film = FullDisk(room=3)
    steady = GuardedFilm(film)
    for _ in range(10):
        steady.hear(AudioChunk(0, np.zeros(480, np.float32)))
        steady.send(FRAME)
    assert steady.trouble == "cannot write film.mp4: no space left"
    assert (film.sent, film.blocks) == (3, 4)
    with pytest.raises(MediaError, match="no space left"):
        steady.close()
