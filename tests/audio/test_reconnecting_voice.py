import threading
import time

import pytest

from tests.fakes import HandClock
from vcam.audio.reconnecting_voice import PAUSE, QUIET, ReconnectingVoice
from vcam.audio.reconnector import Reconnector
from vcam.audio.trouble import SHOWN, Trouble
from vcam.errors import DeviceError


class Server:
    """A sound server with one place for a virtual microphone."""

    def __init__(self) -> None:
        self.clock, self.answers, self.there = HandClock(), True, False
        self.made: list[FakeOutput] = []

    def open(self) -> "FakeOutput":
        self.made.append(FakeOutput(self))
        return self.made[-1]

    def live(self, voice: ReconnectingVoice, seconds: float) -> None:
        """Time passes; whatever is made and has a server asks for sound."""
        for _ in range(int(seconds * 20)):
            self.clock.time += 0.05
            if self.answers and self.there and self.made[-1].running:
                self.made[-1].asked += 2400
            voice.mend()


class FakeOutput:
    name, offset_ms, drift_ppm = "vcam", 3.0, 7.0
    always_asks = True

    def __init__(self, server: Server) -> None:
        self.server, self.running, self.underflows, self.asked = server, False, 1, 0
        self.rests: list[bool] = []

    def start(self) -> None:
        if not self.server.answers:
            raise DeviceError("no sound server answers")
        self.running = self.server.there = True

    def rest(self, resting: bool) -> None:
        self.rests.append(resting)
        if not (resting or self.server.answers):
            raise DeviceError("the output vcam does not open")
        self.running = not resting

    def close(self) -> None:
        self.running = self.server.there = False


@pytest.fixture
def server() -> Server:
    return Server()


def started(server: Server) -> ReconnectingVoice:
    voice = ReconnectingVoice(server.open, lambda: server.there, server.clock)
    voice.start()
    server.live(voice, 1.0)
    return voice


def test_a_voice_that_plays_is_left_alone(server: Server) -> None:
    voice = started(server)
    server.live(voice, 10)
    assert (len(server.made), voice.reopened, voice.trouble) == (1, 0, "")
    assert (voice.name, voice.offset_ms, voice.drift_ppm) == ("vcam", 3.0, 7.0)


def test_nothing_is_mended_before_the_start(server: Server) -> None:
    voice = ReconnectingVoice(server.open, lambda: server.there, server.clock)
    server.live(voice, 5)
    assert len(server.made) == 1


def test_it_is_made_again_when_the_server_has_come_back_ten_times(server: Server) -> None:
    voice = started(server)
    for number in range(10):
        server.answers = server.there = False
        server.live(voice, 3)
        assert voice.trouble == "no sound server answers"
        server.answers = True
        server.live(voice, PAUSE + QUIET)
        assert voice.reopened == number + 1
        assert voice.trouble == ""
    assert sum(each.running for each in server.made) == 1
    assert voice.underflows == 11


def test_a_device_that_was_taken_away_is_made_again_at_once_and_people_are_told(
    server: Server,
) -> None:
    voice = started(server)
    server.there = False
    server.live(voice, 0.05)
    assert voice.reopened == 1
    assert voice.trouble == "the virtual microphone vcam was taken away"
    server.live(voice, SHOWN + 0.1)
    assert voice.trouble == ""


def test_an_output_that_asks_for_nothing_is_opened_again(server: Server) -> None:
    voice = started(server)
    server.made[-1].running = False
    server.live(voice, QUIET + 0.1)
    assert voice.reopened == 1
    assert "takes no sound" in voice.trouble


def test_a_rest_is_no_trouble_and_ends(server: Server) -> None:
    voice = started(server)
    for resting in (True, False):
        voice.rest(resting)
        server.live(voice, 10)
        assert (len(server.made), voice.reopened, voice.trouble) == (1, 0, "")
        assert server.made[0].running is not resting
    assert server.made[0].rests == [True, False]


def test_a_device_taken_away_from_a_resting_voice_is_made_again_and_rests(server: Server) -> None:
    voice = started(server)
    voice.rest(True)
    server.live(voice, 1)
    server.there = False
    server.live(voice, 2)
    assert (len(server.made), server.there, server.made[1].running) == (2, True, False)


def test_what_cannot_play_again_after_a_rest_is_made_anew(server: Server) -> None:
    voice = started(server)
    voice.rest(True)
    server.live(voice, 1)
    server.answers = False
    voice.rest(False)
    server.live(voice, 1)
    assert voice.trouble == "no sound server answers"
    server.answers = True
    server.live(voice, 2)
    assert server.made[-1].running
    assert voice.reopened == 1


def test_a_closed_voice_stays_closed(server: Server) -> None:
    voice = started(server)
    voice.close()
    server.live(voice, 5)
    assert not any(each.running for each in server.made)


def test_the_end_does_not_wait_for_a_device_that_hangs_while_it_is_opened(server: Server) -> None:
    voice, hangs, reached = started(server), threading.Event(), threading.Event()
    opening = server.open

    def open_slowly() -> FakeOutput:
        reached.set()
        hangs.wait(10)
        return opening()

    voice._open = open_slowly
    server.there = False
    thread = threading.Thread(target=voice.mend)
    thread.start()
    assert reached.wait(5)
    began = time.monotonic()
    voice.close()
    assert time.monotonic() - began < 4
    hangs.set()
    thread.join(5)
    assert not any(each.running for each in server.made)  # closed once it was open after all


def test_a_trouble_is_shown_for_a_while_and_no_longer() -> None:
    clock = HandClock()
    trouble = Trouble(clock)
    assert str(trouble) == ""
    trouble.tell("it is gone")
    trouble.over()
    assert str(trouble) == "it is gone"
    clock.time += SHOWN
    assert str(trouble) == ""
    trouble.tell("gone again")
    clock.time += 60
    assert str(trouble) == "gone again"
    trouble.over()
    assert str(trouble) == ""


def test_a_reconnector_looks_again_and_again_wakes_at_once_and_tells_what_failed() -> None:
    reconnector, looks = Reconnector(), threading.Semaphore(0)
    with reconnector.minding(looks.release):
        for _ in range(3):
            assert looks.acquire(timeout=5)
        reconnector.check()

    def fail() -> None:
        raise ZeroDivisionError

    reconnector = Reconnector()
    with reconnector.minding(fail):
        time.sleep(0.2)
    with pytest.raises(ZeroDivisionError):
        reconnector.check()


def test_another_device_of_the_same_name_is_not_the_one_that_it_plays_into(server: Server) -> None:
    numbers = ["1:7"]
    voice = ReconnectingVoice(server.open, lambda: numbers[-1], server.clock)
    voice.start()
    server.live(voice, 1.0)
    numbers.append("1:9")  # taken away, and made again at once
    server.live(voice, 1.0)
    assert voice.reopened == 1


def test_devices_are_to_stay_from_its_start_until_it_is_closed(server: Server) -> None:
    kept: list[bool] = []
    voice = ReconnectingVoice(server.open, lambda: server.there, server.clock, kept.append)
    voice.start()
    server.live(voice, 1.0)
    assert kept == [True]
    voice.close()
    assert kept == [True, False]


def test_who_asks_only_while_somebody_listens_is_left_alone_until_then(server: Server) -> None:
    takes = [False]
    voice = ReconnectingVoice(
        server.open, lambda: server.there, server.clock, takes_sound=lambda: takes[0]
    )
    server.made[0].always_asks = False
    voice.start()
    server.made[0].running = False  # nobody listens
    server.live(voice, 10 * QUIET)
    assert voice.reopened == 0
    takes[0] = True
    server.live(voice, 2 * QUIET)
    assert voice.reopened == 1


def test_who_needs_no_servers_word_plays_on_while_it_does_not_answer(server: Server) -> None:
    told = ["45"]
    voice = ReconnectingVoice(server.open, lambda: told[0], server.clock)
    server.made[0].always_asks = False
    voice.start()
    for told[0] in ("45", "", "45"):
        server.live(voice, 1.0)
    assert voice.reopened == 0
    told[0] = "46"
    server.live(voice, 1.0)
    assert voice.reopened == 1
