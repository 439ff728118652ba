import numpy as np
import pytest

from tests.fakes import ListeningMouth, LoudnessMotion, PlainRenderer, chunks, tone
from vcam.engine.engine import Engine
from vcam.engine.pipeline import Pipeline
from vcam.media import AudioChunk, frame_ticks
from vcam.mouth.passthrough import Passthrough

FRAME = frame_ticks(30)


def pipeline(context: int = 0, delay: int = 2400) -> Pipeline:
    mouth = ListeningMouth(context) if context else Passthrough()
    return Pipeline(LoudnessMotion(delay=delay), PlainRenderer(), mouth)


def test_every_tick_of_the_path():
    path = pipeline()
    frames = [frame for chunk in chunks(tone(2.0), 480) for frame in path.step(chunk)]
    assert [frame.at for frame in frames] == [number * FRAME for number in range(len(frames))]
    assert len(frames) == 59  # the last 50 ms still wait for their sound


@pytest.mark.parametrize("size", [1, 160, 641, 4000, 96_000])
def test_chunking_does_not_change_the_pictures(size):
    sound = tone(0.4)
    expected = list(pipeline(1000).step(AudioChunk(0, sound)))
    path = pipeline(1000)
    frames = [frame for chunk in chunks(sound, size) for frame in path.step(chunk)]
    assert [frame.at for frame in frames] == [frame.at for frame in expected]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(frames, expected, strict=True))


def test_the_mouth_gets_the_sound_around_its_frame():
    sound = tone(1.0)
    path = pipeline(context=4000, delay=0)
    for chunk in chunks(sound, 700):
        list(path.step(chunk))
    given = path.mouth.given
    assert len(given) == 28  # frames whose 4000 ticks have been heard
    for frame, nearby in given:
        assert nearby.end == frame.at + 4000
        assert nearby.start == max(0, frame.at - 4000)
        assert np.array_equal(nearby.samples, sound[nearby.start : nearby.end])


def test_late_motion_is_not_drawn():
    path = pipeline(delay=0)
    frames = list(path.step(AudioChunk(0, tone(1.0)), not_before=lambda: 20 * FRAME))
    assert frames[0].at == 20 * FRAME


def test_lost_sound_begins_the_path_anew():
    path = pipeline()
    list(path.step(AudioChunk(0, tone(0.5))))
    frames = list(path.step(AudioChunk(480_000, tone(0.5))))
    assert frames[0].at == 480_000
    assert path.delay == 2400


def test_stages_that_have_something_to_say_are_heard():
    class Careless(ListeningMouth):
        remark = "3 mouths not painted"

    engine = Engine(Pipeline(LoudnessMotion(), PlainRenderer(), Careless(0)), 30)
    assert engine.remarks == "3 mouths not painted"
    assert Engine(pipeline(), 30).remarks == ""
