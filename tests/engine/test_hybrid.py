"""The whole neural engine, with small networks made up from a seed: sound in, frames out."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import write_wav
from tests.fakes import chunks
from vcam.audio.microphone import WavFile
from vcam.camera.memory import MemoryCamera
from vcam.errors import ConfigError
from vcam.media import AudioChunk, FloatArray, frame_ticks
from vcam.monitor.stats import Snapshot
from vcam.profiles import profile

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from vcam.engine.backends import Asked, open_stages  # noqa: E402 - after the skips
from vcam.engine.engine import Engine  # noqa: E402
from vcam.engine.pipeline import Pipeline  # noqa: E402
from vcam.film.render import BATCH, frames_of, pictures  # noqa: E402
from vcam.link.child import ChildLink  # noqa: E402
from vcam.live.session import Session  # noqa: E402

FPS, SIZE = 30, 128
FRAME = frame_ticks(FPS)
FACE = profile.made_up("small")
NEURAL = ("artalk", "gagavatar", "musetalk")


def voice(seconds: float = 0.3) -> FloatArray:
    """Noise in syllables, which the gate takes for speech."""
    ticks = np.arange(round(48_000 * seconds))
    noise = np.random.default_rng(3).normal(size=len(ticks))
    return (0.1 * noise * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * ticks / 48_000))).astype(np.float32)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.open(FACE, FPS, SIZE)


def fingerprints(engine: Engine, size: int) -> dict[int, str]:
    """The digest of every frame by its tick, the sound cut into pieces of `size`."""
    engine.pipeline.reset()
    prints = {}
    padded = np.concatenate([voice(), np.zeros(engine.delay + FRAME, np.float32)])
    for chunk in chunks(padded, size):
        for finished in engine.step_all(chunk):
            prints[finished.frame.at] = hashlib.sha256(finished.frame.array().tobytes()).hexdigest()
    return prints


def test_frames_are_the_same_bytes_again_and_however_the_sound_is_cut(engine):
    whole = fingerprints(engine, 48_000)
    assert list(whole) == list(range(0, len(whole) * FRAME, FRAME))
    assert len(whole) >= 0.3 * FPS
    assert len(set(whole.values())) == len(whole)  # the face lives
    assert fingerprints(engine, 48_000) == whole
    assert fingerprints(engine, 441) == whole


def test_all_three_networks_take_part(engine):
    assert engine.backends == NEURAL
    assert engine.remarks == ""
    mouth, painted = engine.pipeline.mouth, engine.pipeline.mouth.counts.painted
    frames = list(frames_of(voice(0.2), engine))
    assert mouth.counts.painted - painted >= len(frames) == 0.2 * FPS
    assert {name for frame in frames for name in frame.took} >= {"motion", "render", "mouth"}


@pytest.mark.parametrize("mode", ["talk", pytest.param("broadcast", marks=pytest.mark.slow)])
def test_a_film_shows_the_live_pictures(mode):
    """To the byte, in both of ARTalk's modes, however many mouths the film asks for at once."""
    stages = open_stages(Asked(replace(FACE, mode=mode), 25, SIZE, BATCH))
    got = list(pictures(voice(0.16), stages))
    live = Engine(Pipeline(stages.motion, stages.renderer, stages.mouth), 25)
    wanted = list(frames_of(voice(0.16), live))
    assert len(got) == 4
    assert [frame.at for frame in got] == [finished.frame.at for finished in wanted]
    for frame, finished in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(frame.array(), finished.frame.array())


def test_a_second_engine_draws_the_same_frames(engine):
    """Everything comes from the seed; nothing from what happened before."""
    engine.pipeline.reset()
    sound = AudioChunk(0, voice(0.25))
    first = [finished.frame.array() for finished in engine.step_all(sound)]
    other = [f.frame.array() for f in Engine.open(FACE, FPS, SIZE).step_all(sound)]
    assert first
    np.testing.assert_array_equal(first, other)


def test_it_lives_behind_a_link(tmp_path: Path):
    camera = MemoryCamera()
    session = Session(ChildLink(FACE, FPS, SIZE), camera, FPS)
    source = WavFile(write_wav(tmp_path / "voice.wav", voice(1.0)), session.hear, loop=True)

    def watch(now: Snapshot) -> None:
        if now.fresh + now.dropped > 3 and len(camera.frames) > 10:
            session.stop()

    last = session.run(source, 60.0, watch)
    assert last.engine.backends == NEURAL
    assert last.engine.restarts == 0
    pictures = {frame.at: frame.pixels for frame in camera.frames}
    assert len(pictures) > 3
    assert all(at % FRAME == 0 and p.shape == (SIZE, SIZE, 3) for at, p in pictures.items())


def test_full_size_needs_a_gpu():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ConfigError, match="GAGAvatar needs an NVIDIA GPU"):
        Engine.open(profile.made_up("synthetic"), FPS, SIZE)


def test_unknown_weights_are_refused():
    with pytest.raises(ConfigError, match="weights fancy are none of released, synthetic, small"):
        profile.made_up("fancy")
