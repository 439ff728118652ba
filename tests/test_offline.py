"""Films made without a clock: the live pictures, in order, with all of the voice."""

import threading
import time

import numpy as np
import pytest

from tests.conftest import write_wav
from tests.fakes import ListeningMouth, LoudnessMotion, PlainRenderer, chunks, tone
from vcam import cli, offline
from vcam.backends import Asked, Opened, open_stages
from vcam.camera.memory import MemoryCamera
from vcam.errors import MediaError
from vcam.media import AudioChunk, frame_ticks
from vcam.mouth.passthrough import Passthrough
from vcam.pipeline import Pipeline
from vcam.profile import Profile

FRAME = frame_ticks(30)


class Recording(MemoryCamera):
    """Remembers the sound as well."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[AudioChunk] = []

    def hear(self, sound: AudioChunk) -> None:
        self.heard.append(sound)


class InThrees(ListeningMouth):
    """Likes to paint three at a time."""

    batch = 3

    def __init__(self, context: int) -> None:
        super().__init__(context)
        self.sizes: list[int] = []

    def step_many(self, frames, sounds):
        self.sizes.append(len(frames))
        return [self.step(*each) for each in zip(frames, sounds, strict=True)]


def opened(mouth=None, delay=2400):
    return Opened(LoudnessMotion(delay=delay), PlainRenderer(), mouth or Passthrough(), ("",) * 3)


def live(stages, voice, size=480):
    path = Pipeline(stages.motion, stages.renderer, stages.mouth)
    padded = np.concatenate([voice, np.zeros(path.delay + size, np.float32)])
    frames = [frame for chunk in chunks(padded, size) for frame in path.step(chunk)]
    return [frame for frame in frames if frame.at < len(voice)]


@pytest.mark.parametrize("context", [0, 4000])
@pytest.mark.parametrize("delay", [0, 2400, 200_000])
def test_the_pictures_are_those_of_a_live_run(context, delay):
    voice = tone(1.01)

    def stages():
        return opened(ListeningMouth(context) if context else None, delay)

    wanted, got = live(stages(), voice), list(offline.pictures(voice, stages()))
    assert [frame.at for frame in got] == [number * FRAME for number in range(31)]
    assert [frame.at for frame in wanted] == [frame.at for frame in got]
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_a_painter_that_likes_batches_hears_what_it_hears_live():
    voice, batched, alone = tone(1.0), InThrees(4000), ListeningMouth(4000)
    list(offline.pictures(voice, opened(batched)))
    live(opened(alone), voice)
    assert batched.sizes == [3] * 10
    for (frame, sound), (other, heard) in zip(batched.given, alone.given, strict=False):
        assert frame.at == other.at
        assert sound.start == heard.start
        np.testing.assert_array_equal(sound.samples, heard.samples)


def test_the_embedded_avatar_filmed_is_the_live_one():
    stages = open_stages(Asked(Profile(), 30, 96))
    voice = (tone(0.7, 150.0) * np.sin(np.arange(33_600) / 4000)).astype(np.float32)
    wanted = live(stages, voice)
    for one, other in zip(offline.pictures(voice, stages), wanted, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_a_film_has_every_frame_in_order_and_all_of_the_voice():
    voice, recording = tone(1.0), Recording()
    shares = list(offline.film(voice, opened(), recording))
    assert [frame.at for frame in recording.frames] == [number * FRAME for number in range(30)]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert [sound.start for sound in recording.heard[1:]] == [s.end for s in recording.heard[:-1]]
    np.testing.assert_array_equal(np.concatenate([s.samples for s in recording.heard]), voice)


def test_writing_goes_on_beside_drawing_but_not_without_end():
    """A slow disk: drawing goes ahead of it by a few frames, no more."""
    drawn, lead, recording = [0], [], Recording()

    class Counting(PlainRenderer):
        def step(self, motion):
            drawn[0] += 1
            return super().step(motion)

    def slow(frame):
        assert threading.current_thread() is not threading.main_thread()
        time.sleep(0.002)
        lead.append(drawn[0] - recording.sent)
        return frame

    stages = Opened(LoudnessMotion(), Counting(), Passthrough(), ("",) * 3)
    list(offline.film(tone(2.0), stages, recording, slow))
    assert recording.sent == 60
    assert 2 < max(lead) <= offline.AHEAD + 2


def test_what_goes_wrong_while_writing_ends_the_film():
    def broken(frame):
        if frame.at > 3 * FRAME:
            raise MediaError("the disk is full")
        return frame

    recording = Recording()
    with pytest.raises(MediaError, match="the disk is full"):
        list(offline.film(tone(30.0), opened(), recording, broken))
    assert recording.sent == 4


def test_a_film_that_nobody_waits_for_stops():
    recording, before = Recording(), threading.active_count()
    made = offline.film(tone(60.0), opened(), recording)
    next(made)
    made.close()
    assert recording.sent <= offline.AHEAD
    assert threading.active_count() == before


@pytest.mark.parametrize(("typed", "mode"), [([], "broadcast"), (["--mode", "talk"], "talk")])
def test_films_are_exact_unless_told_otherwise(tmp_path, monkeypatch, typed, mode):
    asked = []

    def remembered(wanted):
        asked.append(wanted)
        return opened()

    monkeypatch.setattr(offline, "open_stages", remembered)
    voice = write_wav(tmp_path / "voice.wav", tone(0.2))
    out = tmp_path / "film.mp4"
    assert cli.main(["render", str(voice), "-o", str(out), "--size", "128", *typed]) == 0
    assert (asked[0].profile.mode, asked[0].batch) == (mode, offline.BATCH)
    assert out.exists()
