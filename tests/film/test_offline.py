"""Films made without a clock: the live pictures, in order, with all of the voice."""

import threading
import time

import numpy as np
import pytest

from tests.conftest import write_wav
from tests.fakes import ListeningMouth, LoudnessMotion, PlainRenderer, chunks, tone
from vcam.camera.memory import MemoryCamera
from vcam.cli import main
from vcam.config import RunConfig
from vcam.engine.backends import Asked, Opened, open_stages
from vcam.engine.pipeline import Pipeline
from vcam.errors import MediaError
from vcam.film import render
from vcam.gpu.overlap import Track
from vcam.media import AudioChunk, frame_ticks
from vcam.mouth.passthrough import Passthrough
from vcam.profiles.profile import Profile

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

    wanted, got = live(stages(), voice), list(render.pictures(voice, stages()))
    assert [frame.at for frame in got] == [number * FRAME for number in range(31)]
    assert [frame.at for frame in wanted] == [frame.at for frame in got]
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_a_painter_that_likes_batches_hears_what_it_hears_live():
    voice, batched, alone = tone(1.0), InThrees(4000), ListeningMouth(4000)
    list(render.pictures(voice, opened(batched)))
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
    for one, other in zip(render.pictures(voice, stages), wanted, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_a_film_has_every_frame_in_order_and_all_of_the_voice():
    voice, recording = tone(1.0), Recording()
    shares = list(render.film(voice, opened(), recording))
    assert [frame.at for frame in recording.frames] == [number * FRAME for number in range(30)]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert [sound.start for sound in recording.heard[1:]] == [s.end for s in recording.heard[:-1]]
    np.testing.assert_array_equal(np.concatenate([s.samples for s in recording.heard]), voice)


@pytest.mark.parametrize(("track", "most"), [(None, 0), (Track(), render.DRAWN)])
def test_drawing_goes_on_beside_writing_but_not_without_end(track, most):
    """A slow disk: drawing goes ahead of it by some frames, no more."""
    drawn, lead, recording = [0], [], Recording()

    class Counting(PlainRenderer):
        def step(self, motion):
            assert threading.current_thread() is not threading.main_thread()
            drawn[0] += 1
            return super().step(motion)

    def slow(frame):
        time.sleep(0.002)
        lead.append(drawn[0] - recording.sent)
        return frame

    stages = Opened(LoudnessMotion(), Counting(), Passthrough(), ("",) * 3)
    list(render.film(tone(2.0), stages, recording, slow, track))
    assert recording.sent == 60
    assert 2 < max(lead) <= render.PAINTED + most + 3


@pytest.mark.parametrize("track", [None, Track()])
def test_a_film_shows_its_pictures_whatever_goes_on_at_once(track):
    voice, recording = tone(2.0), Recording()
    list(render.film(voice, opened(InThrees(4000)), recording, track=track))
    wanted = list(render.pictures(voice, opened(InThrees(4000))))
    assert [frame.at for frame in recording.frames] == [frame.at for frame in wanted]
    for one, other in zip(recording.frames, wanted, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize("track", [None, Track()])
def test_what_goes_wrong_while_writing_ends_the_film(track):
    def broken(frame):
        if frame.at > 3 * FRAME:
            raise MediaError("the disk is full")
        return frame

    recording = Recording()
    with pytest.raises(MediaError, match="the disk is full"):
        list(render.film(tone(30.0), opened(), recording, broken, track))
    assert recording.sent == 4


@pytest.mark.parametrize("part", ["motion", "renderer", "mouth"])
@pytest.mark.parametrize("track", [None, Track()])
def test_what_goes_wrong_on_another_thread_ends_the_film(track, part):
    def broken(*given):
        raise MediaError("out of ink")

    recording, stages, before = Recording(), opened(ListeningMouth(0)), threading.active_count()
    getattr(stages, part).step = broken
    with pytest.raises(MediaError, match="out of ink"):
        list(render.film(tone(5.0), stages, recording, track=track))
    assert not recording.frames
    assert threading.active_count() == before


@pytest.mark.parametrize("track", [None, Track()])
def test_a_film_that_nobody_waits_for_stops(track):
    recording, before = Recording(), threading.active_count()
    made = render.film(tone(60.0), opened(), recording, track=track)
    next(made)
    made.close()
    assert recording.sent <= render.PAINTED
    assert threading.active_count() == before


@pytest.mark.parametrize(("typed", "mode"), [([], "broadcast"), (["--mode", "talk"], "talk")])
def test_films_are_exact_unless_told_otherwise(tmp_path, monkeypatch, typed, mode):
    asked = []

    def remembered(wanted):
        asked.append(wanted)
        return opened()

    monkeypatch.setattr(render, "open_stages", remembered)
    voice = write_wav(tmp_path / "voice.wav", tone(0.2))
    out = tmp_path / "film.mp4"
    assert main.main(["render", str(voice), "-o", str(out), "--size", "128", *typed]) == 0
    assert (asked[0].profile.mode, asked[0].batch) == (mode, render.BATCH)
    assert out.exists()


def test_compiled_kernels_of_a_film_lie_in_our_own_folder(tmp_path, monkeypatch):
    used = []
    monkeypatch.setattr(render, "open_stages", lambda wanted: opened())
    monkeypatch.setattr(render.compiled, "use", lambda: used.append(True))
    voice = write_wav(tmp_path / "voice.wav", tone(0.2))
    for neural, expected in (({}, 0), ({"gagavatar": "its stamp"}, 1)):
        monkeypatch.setattr(render, "parts", lambda asked, neural=neural: neural)
        list(render.filmed(voice, tmp_path / "film.mp4", RunConfig(size=128)))
        assert len(used) == expected
