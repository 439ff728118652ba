import numpy as np
import pytest

from tests.fakes import HandClock
from vcam.audio.reconnecting import PAUSE, PROVEN, QUIET, ReconnectingMicrophone
from vcam.errors import DeviceError

BLOCK = np.zeros(480, np.float32)


class Box:
    """A machine with one microphone socket."""

    def __init__(self) -> None:
        self.clock, self.plugged, self.default = HandClock(), True, "built-in"
        self.opened: list[FakeMicrophone] = []
        self.heard = 0

    def open(self, hear):
        if not self.plugged:
            raise DeviceError("there is no microphone")
        self.opened.append(FakeMicrophone(self.default, hear))
        return self.opened[-1]

    def hear(self, samples) -> None:
        self.heard += 1

    def live(self, source, seconds) -> None:
        """Time passes; whatever is open and plugged in delivers."""
        for _ in range(int(seconds * 20)):
            self.clock.time += 0.05
            if self.plugged and self.opened[-1].running:
                self.opened[-1].hear(BLOCK)
            source.mend()


class FakeMicrophone:
    finished = False

    def __init__(self, name, hear) -> None:
        self.name, self.hear, self.running, self.overflows = name, hear, False, 2

    def start(self) -> None:
        self.running = True

    def close(self) -> None:
        self.running = False


@pytest.fixture
def box():
    return Box()


def steady(box) -> ReconnectingMicrophone:
    source = ReconnectingMicrophone(box.open, box.hear, lambda: box.default, box.clock)
    source.start()
    return source


def test_a_healthy_microphone_is_left_alone(box):
    source = steady(box)
    box.live(source, 10)
    assert (len(box.opened), source.reopened, source.trouble) == (1, 0, "")
    assert box.heard == 200


def test_unplugged_twenty_times_it_comes_back_every_time(box):
    source = steady(box)
    for number in range(20):
        box.plugged = False
        box.live(source, 3)
        assert source.trouble == "there is no microphone"
        box.plugged = True
        box.live(source, 1.5)
        assert source.trouble == ""
        assert source.reopened == number + 1
    assert sum(each.running for each in box.opened) == 1
    assert source.overflows == 2 * len(box.opened)


def test_attempts_are_not_rushed(box):
    source = steady(box)
    box.plugged = False
    attempts = []
    opening = box.open
    source._open = lambda hear: attempts.append(box.clock.time) or opening(hear)
    box.live(source, 5)
    assert np.diff(attempts).min() >= PAUSE
    assert attempts[0] - 1000 >= QUIET


def test_another_default_is_followed(box):
    source = steady(box)
    box.live(source, 1)
    box.default = "headset"
    box.live(source, 1)
    assert source.name == "headset"
    assert [each.running for each in box.opened] == [False, True]


def test_a_microphone_that_is_not_there_at_first_is_an_error(box):
    box.plugged = False
    with pytest.raises(DeviceError, match="no microphone"):
        steady(box)


def test_a_file_that_has_ended_stays_ended(box):
    source = steady(box)
    box.opened[-1].finished = True
    box.opened[-1].running = False
    box.live(source, 5)
    assert source.finished
    assert len(box.opened) == 1


def both(box, *delivering, blocks: int = 1) -> int:
    """Microphones deliver for so many blocks of 10 ms; how many were heard."""
    heard = box.heard
    for _ in range(blocks):
        box.clock.time += 0.01
        for microphone in delivering:
            microphone.hear(BLOCK)
    return box.heard - heard


def changing(box):
    """A live source whose default is another one from now on, which is open; and the old one."""
    source = steady(box)
    box.live(source, 1)
    before, box.default = box.opened[-1], "headset"
    both(box, before)
    source.mend()
    return source, before


def test_the_old_microphone_is_heard_until_the_new_one_speaks_evenly(box):
    source, before = changing(box)
    assert [each.running for each in box.opened] == [True, True]
    new = box.opened[-1]
    assert both(box, before, new, blocks=5) == 5
    assert both(box, before, blocks=4) == 4  # it stutters
    source.mend()
    assert before.running
    proving = round(100 * PROVEN)
    assert both(box, before, new, blocks=proving) == proving  # as if it had just begun
    assert both(box, before, new, blocks=2) == 3  # the old one's last block, the new one's first
    assert both(box, before, new, blocks=7) == 7
    source.mend()
    assert [each.running for each in box.opened] == [False, True]


def test_a_new_microphone_need_not_prove_itself_when_nobody_else_is_heard(box):
    changing(box)
    assert both(box, blocks=5) == 0  # the old one was pulled out
    assert both(box, box.opened[-1], blocks=3) == 3


def test_a_burst_from_a_new_microphone_is_not_heard(box):
    changing(box)
    heard = box.heard
    for _ in range(40):
        box.opened[-1].hear(BLOCK)
    assert box.heard == heard


def test_a_new_default_that_does_not_open_leaves_the_old_one(box):
    source, opening = steady(box), box.open
    box.live(source, 1)
    box.default = "broken"

    def refuse(hear):
        raise DeviceError("it does not open")

    source._open = refuse
    heard = box.heard
    box.live(source, 2)
    assert box.heard == heard + 40
    assert source.trouble == "it does not open"
    source._open = opening
    box.live(source, 1)
    assert (source.name, source.trouble) == ("broken", "")


def test_a_microphone_that_is_gone_is_let_go_at_once_and_its_stand_in_never_heard(box):
    """A sound server moves the stream of a device that goes away to another microphone."""
    there, source = [True], None

    def wanted():
        if not there[0]:
            raise DeviceError("the microphone desk is gone")
        return "desk"

    source = ReconnectingMicrophone(box.open, box.hear, wanted, box.clock)
    source.start()
    box.live(source, 1)
    there[0], heard = False, box.heard
    source.mend()
    box.live(source, 3)
    assert (box.heard, source.trouble) == (heard, "the microphone desk is gone")
    assert not any(each.running for each in box.opened)
    there[0] = True
    source.mend()
    box.live(source, 1)
    assert box.heard == heard + 20
    assert source.trouble == ""


def test_a_silent_microphone_is_told(box):
    source = steady(box)
    box.live(source, 1)
    box.opened[-1].running = False
    box.live(source, QUIET + 0.1)
    assert source.trouble == "no sound comes from built-in"
    box.live(source, 2)
    assert (source.trouble, source.reopened) == ("", 1)


class FakeFile(FakeMicrophone):
    waiting = True


@pytest.fixture
def files(box):
    """The files that are opened in the microphone's place."""
    opened = []

    def open_file(hear):
        opened.append(FakeFile("a file", hear))
        return opened[-1]

    box.open = open_file
    return opened


def test_a_file_that_waits_is_not_taken_for_a_dead_microphone(box, files):
    source = steady(box)
    for _ in range(100):
        box.clock.time += QUIET / 2
        source.mend()
    assert len(files) == 1
    assert source.trouble == ""


def test_the_first_block_of_a_file_is_heard(box, files):
    steady(box)
    files[0].hear(BLOCK)
    assert box.heard == 1
