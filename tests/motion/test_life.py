"""What the face does with the melody of speech, on voices made by formula."""

from __future__ import annotations

import numpy as np
import pytest

from vcam.arkit import INDEX
from vcam.audio.mel import RATE
from vcam.audio.pitch import Pitch
from vcam.media import TICKS_PER_SECOND, AudioChunk, frame_ticks
from vcam.motion.idle import Idle
from vcam.motion.measures import repetition
from vcam.motion.visemes.life import Life
from vcam.motion.visemes.model import VisemeMotion
from vcam.motion.visemes.prosody import Beat, Prosody

FPS = 30
BLINK = INDEX["eyeBlinkLeft"]


def voice(hertz, rate: int = TICKS_PER_SECOND, loud: float = 0.15):
    """A voice with many harmonics whose height goes through `hertz`, one for each 10 ms, and which
    says a syllable five times a second."""
    count = len(hertz) * rate // 100
    track = np.interp(np.arange(count), np.arange(len(hertz)) * rate // 100, hertz)
    phase = 2 * np.pi * np.cumsum(track) / rate
    wave = sum(np.sin(n * phase) / n for n in range(1, 20))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 5 * np.arange(count) / rate)
    return (loud * wave * syllables).astype(np.float32)


def silence(seconds: float):
    return np.zeros(int(seconds * TICKS_PER_SECOND), np.float32)


def sentence(rises: bool, seed: int = 0):
    """Two seconds that fall, or climb at the end."""
    rng = np.random.default_rng(seed)
    body = 120 * 2 ** (rng.uniform(-0.05, 0.05) + np.linspace(0.1, -0.05, 160))
    end = body[-1] * 2 ** np.linspace(0, 0.6 if rises else -0.35, 40)
    return voice(np.concatenate([body, end]))


def talk(minutes: float, seed: int = 0):
    """Phrases of many lengths with pauses, and accents of many strengths."""
    rng = np.random.default_rng(seed)
    parts, length = [silence(0.5)], 0.5
    while length < 60 * minutes:
        seconds = rng.uniform(0.8, 4.0)
        heights = 130 * 2 ** np.interp(
            np.arange(int(100 * seconds)), np.arange(0, 500, 20), rng.normal(0, 0.12, 25)
        )
        said = voice(heights) * np.interp(
            np.arange(int(480 * 100 * seconds)), np.arange(25) * 9600, rng.uniform(0.25, 1.0, 25)
        )[: len(heights) * 480].astype(np.float32)
        parts += [said, silence(rng.uniform(0.3, 0.9))]
        length += seconds + 0.6
    return np.concatenate(parts)


def shown(sound, seed: int = 0):
    """Heads [n, 3] in degrees and weights [n, 52]."""
    motions = VisemeMotion(FPS, seed).step(AudioChunk(0, sound))
    return np.degrees([m.head for m in motions]), np.array([m.face.weights for m in motions])


@pytest.fixture(scope="module")
def talking():
    """The better part of a minute."""
    return shown(talk(0.7))


@pytest.mark.parametrize("hertz", [90.0, 140.0, 220.0, 330.0])
def test_a_voice_is_as_high_as_it_is(hertz):
    sound = voice(np.full(60, hertz), RATE)
    heights = [height for height in Pitch().step(sound)[8:] if height is not None]
    assert len(heights) > 40
    assert np.median(heights) == pytest.approx(12 * np.log2(hertz / 100), abs=0.4)
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    assert sum(height is not None for height in Pitch().step(noise)) < 5
    assert set(Pitch().step(0 * noise)) == {None}


def test_pitch_does_not_see_how_sound_is_cut():
    sound = voice(120 + 40 * np.sin(np.arange(100) / 9), RATE)
    whole, pieces, parts = Pitch().step(sound), Pitch(), []
    for start in range(0, len(sound), 37):
        parts += pieces.step(sound[start : start + 37])
    assert parts == whole


def test_the_head_moves_as_a_speakers_does_and_never_jumps(talking):
    heads, weights = talking
    deviation = heads[FPS:].std(axis=0)
    assert (deviation > 1.2).all(), deviation
    assert (deviation < 3.2).all(), deviation
    assert np.abs(heads).max() < 16
    assert np.abs(np.diff(heads, axis=0)).max() < 4.0
    assert weights.min() >= 0
    assert weights.max() <= 1


def test_nothing_comes_again_within_two_minutes():
    """Of a speaker who says the very same thing every three seconds."""
    life, heads = Life(1), []
    for n in range(100 * 300):
        into = n % 300
        beat = Beat(accent=0.5 * (into in (30, 110, 190)), begins=into == 10, ends=into == 240)
        lively = life.step(beat, 10 <= into < 240, 1.0)
        if n % 10 == 0:
            heads.append(lively.head)
    assert repetition(np.array(heads), 20, 1200) < 0.45


def test_repetition_tells_a_loop_from_what_is_always_new():
    rng = np.random.default_rng(0)
    new = np.cumsum(rng.normal(size=(6000, 1)), axis=0)
    new -= np.convolve(new[:, 0], np.ones(101) / 101, "same")[:, None]
    assert repetition(new, 300, 3000) < 0.3
    assert repetition(np.tile(new[:1000], (6, 1)), 300, 3000) > 0.9


def test_a_question_lifts_the_brows_and_a_statement_does_not():
    brow = INDEX["browInnerUp"]
    for seed in range(4):
        peaks = {}
        for rises in (True, False):
            sound = np.concatenate([silence(0.8), sentence(rises, seed), silence(1.2)])
            weights = shown(sound, seed)[1]
            after = weights[int(2.9 * FPS) :]
            peaks[rises] = after[:, brow].max()
        assert peaks[True] > 0.4, peaks
        assert peaks[True] > peaks[False] + 0.25, peaks


def test_phrases_begin_and_end_where_they_do():
    prosody = Prosody()
    beats = [prosody.step(-22.0, True, 4.0) for _ in range(100)]
    beats += [prosody.step(-60.0, True, None) for _ in range(8)]  # the closure of a stop
    beats += [prosody.step(-22.0, True, 4.0) for _ in range(50)]
    beats += [prosody.step(-60.0, False, None) for _ in range(60)]
    assert [n for n, beat in enumerate(beats) if beat.begins] == [0]
    (end,) = [n for n, beat in enumerate(beats) if beat.ends]
    assert 158 <= end <= 180
    assert not beats[end].asks


def test_lids_close_after_many_phrases_and_eyes_come_back_when_one_begins():
    blinks, attention = 0, []
    for seed in range(40):
        life = Life(seed)
        for n in range(200):
            lively = life.step(Beat(begins=n == 50, ends=n == 120), 50 <= n < 120, 0.0)
            blinks += n > 120 and lively.lid > 0.95
            attention.append((n, lively.attention))
    assert all(value == 0 for n, value in attention if n < 50)
    assert all(value > 0.9 for n, value in attention if 80 < n < 120)
    assert 40 < blinks < 40 * 8  # frames of 10 ms: some blink, and not for long


def test_glances_are_left_out_with_attention_and_the_eyes_take_the_head_back():
    idle, ticks = Idle(3), range(0, 60 * TICKS_PER_SECOND, 4800)
    right = INDEX["eyeLookOutLeft"]
    free = max(idle.at(tick).weights[right] for tick in ticks)
    held = max(idle.at(tick, attention=1.0).weights[right] for tick in ticks)
    assert free > 0.15
    assert held < 0.05
    turned = idle.at(0, 1.0, np.array([0.0, -6.0, 0.0])).weights
    assert turned[right] == pytest.approx(0.2, abs=0.02)


def test_cheeks_go_with_the_smile(talking):
    smile, cheek = (talking[1][:, INDEX[f"{name}Left"]] for name in ("mouthSmile", "cheekSquint"))
    assert cheek.max() > 0.05
    np.testing.assert_allclose(cheek[smile < 1], 0.5 * smile[smile < 1], atol=1e-6)


def test_silence_is_as_lively_as_it_was():
    """Where nobody speaks nothing is added to what `Idle` does."""
    heads, _ = shown(silence(5.0), seed=2)
    idle = Idle(2)
    expected = np.degrees([idle.at(n * frame_ticks(FPS)).head for n in range(len(heads))])
    np.testing.assert_allclose(heads, expected, atol=1e-4)
