"""The virtual microphone on a real sound server, heard by another program's microphone."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.conftest import SoundServer
from tests.fakes import tone
from vcam.audio.microphone import Hear, Microphone, PreparedSound, list_microphones
from vcam.audio.portaudio import PULSE, Input
from vcam.audio.ring import RingBuffer
from vcam.audio.virtual_mic import SOURCE, VirtualMicrophone
from vcam.clock import MediaClock
from vcam.media import TICKS_PER_SECOND, FloatArray

PERIOD = TICKS_PER_SECOND // 2
DELAY = TICKS_PER_SECOND // 10


class Ear:
    """Stamps sound as the rim does."""

    def __init__(self) -> None:
        self.ring, self.clock = RingBuffer(), MediaClock()

    def hear(self, samples: FloatArray) -> None:
        self.ring.append(samples)
        self.clock.heard(self.ring.end)

    def clicks(self) -> list[float]:
        """Monotonic times at which clicks were heard."""
        sound = self.ring.read(0, self.ring.end)
        loud = np.flatnonzero(np.abs(sound.samples) > 0.25)
        first = loud[np.diff(loud, prepend=-PERIOD) > PERIOD // 2]
        return [self.clock.time_of(sound.start + int(tick)) for tick in first]


def clicking(seconds: float) -> FloatArray:
    """Short beeps, two a second."""
    voice = np.zeros(int(seconds * TICKS_PER_SECOND), np.float32)
    for start in range(PERIOD, len(voice) - 480, PERIOD):
        voice[start : start + 480] = tone(0.01, 1000, 0.8)
    return voice


def meeting_microphone(monkeypatch: pytest.MonkeyPatch, hear: Hear) -> Microphone:
    """What a meeting does when somebody picks "vcam" as the microphone."""
    source = Input("vcam", "vcam-microphone", PULSE, SOURCE)
    with monkeypatch.context() as here:
        here.setattr("vcam.audio.portaudio.inputs", lambda: [source])
        microphone = Microphone(SOURCE, hear)
    microphone.start()
    return microphone


def test_the_voice_arrives_as_late_as_it_should(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rim, meeting = Ear(), Ear()
    voice = PreparedSound("clicks", clicking(6.0), rim.hear, False, time.monotonic, time.sleep)
    voice.start()
    time.sleep(0.3)
    output = VirtualMicrophone(rim.ring, lambda when: rim.clock.tick_at(when) - DELAY)
    output.start()
    assert SOURCE in sound_server.run("pactl", "list", "short", "sources").split()
    assert SOURCE not in [found.name for found in list_microphones()]  # never its own microphone
    microphone = meeting_microphone(monkeypatch, meeting.hear)
    time.sleep(5.0)
    microphone.close()
    output.close()
    voice.close()
    said, heard = np.array(rim.clicks()), np.array(meeting.clicks())
    assert len(heard) >= 6
    late = np.array([(when - said)[when > said].min() for when in heard[1:]])
    early, typical, late = np.percentile(late, (5, 50, 95))
    assert 0.1 - 0.04 < early < typical < late < 0.1 + 0.06  # the window of EBU R37


def test_a_resting_voice_costs_nothing_and_its_microphone_stays(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rim, meeting = Ear(), Ear()
    voice = PreparedSound("clicks", clicking(6.0), rim.hear, False, time.monotonic, time.sleep)
    output = VirtualMicrophone(rim.ring, lambda when: rim.clock.tick_at(when) - DELAY)
    output.start()
    microphone = meeting_microphone(monkeypatch, meeting.hear)
    output.rest(True)
    voice.start()
    asked, heard = output.asked, meeting.ring.end
    time.sleep(2.2)
    assert output.asked == asked
    assert sound_server.run("pactl", "list", "short", "sink-inputs") == ""
    assert meeting.ring.end > heard + TICKS_PER_SECOND  # of silence
    assert meeting.clicks() == []
    output.rest(False)
    time.sleep(3.0)
    microphone.close()
    output.close()
    voice.close()
    said, heard_at = np.array(rim.clicks()), np.array(meeting.clicks())
    late = [(when - said)[when > said].min() for when in heard_at]
    assert len(late) >= 5  # of six: at once, and nothing of what was said before
    assert min(late) > 0.1 - 0.04
    assert max(late) < 0.1 + 0.06


def test_leftovers_of_a_killed_run_are_removed(sound_server: SoundServer) -> None:
    killed, output = (VirtualMicrophone(RingBuffer(), lambda when: None) for _ in range(2))
    killed.start()
    output.start()
    names = sound_server.run("pactl", "list", "short", "sources").split()
    assert names.count(SOURCE) == 1
    output.close()
    assert SOURCE not in sound_server.run("pactl", "list", "short", "sources").split()
    killed.close()
