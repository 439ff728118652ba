import numpy as np
import pytest

from tests.fakes import tone
from vcam.audio.delayed import FADE, FASTEST, JUMP, ROOM, DelayedVoice, Follower, Interpolator
from vcam.audio.ring import RingBuffer
from vcam.live.playout import PresentationDelay
from vcam.media import TICKS_PER_SECOND

BLOCK = 480
MS = TICKS_PER_SECOND / 1000


def ring_of(samples) -> RingBuffer:
    ring = RingBuffer()
    ring.append(samples)
    return ring


def off_tone_db(samples, hertz):
    """Energy beside the tone, in dB below it: clicks and images show here."""
    spectrum = np.abs(np.fft.rfft(samples * np.blackman(len(samples)))) ** 2
    peak = round(hertz * len(samples) / TICKS_PER_SECOND)
    near = slice(peak - 40, peak + 41)
    beside = spectrum.sum() - spectrum[near].sum()
    return 10 * np.log10(spectrum[near].sum() / beside)


def test_whole_ticks_at_normal_speed_are_copied():
    voice = tone(1.0)
    got = Interpolator(ring_of(voice)).read(1000.0, 1.0, 480)
    assert np.abs(got - voice[1000:1480]).max() < 1e-6


@pytest.mark.parametrize("hertz", [200, 3000, 12_000, 18_000])
@pytest.mark.parametrize("speed", [1.0002, 0.99, 1.01])
def test_stretching_leaves_a_pure_tone_pure(hertz, speed):
    interpolator = Interpolator(ring_of(tone(3.0, hertz)))
    blocks = [interpolator.read(4800 + n * BLOCK * speed, speed, BLOCK) for n in range(200)]
    assert off_tone_db(np.concatenate(blocks), hertz * speed) > 60


def test_what_is_not_held_is_silence():
    interpolator = Interpolator(ring_of(np.ones(480, np.float32)))
    assert not interpolator.read(-5000.0, 1.0, 480).any()
    assert not interpolator.read(90_000.0, 1.0, 480).any()


def test_a_constant_error_is_stretched_away_inaudibly():
    follower, target, speeds = Follower(), 0.0, []
    follower.step(BLOCK, target)
    for _ in range(2000):
        target += BLOCK
        speeds.append(follower.step(BLOCK, target + 20 * MS)[1])
    assert abs(follower.error) < 1 * MS
    assert max(np.abs(np.array(speeds) - 1)) <= FASTEST + 1e-12
    assert follower.jumps == 0


@pytest.mark.parametrize("ppm", [200, -200])
def test_two_hours_of_drift_are_followed(ppm):
    follower, target, errors = Follower(), 0.0, []
    chance, block = np.random.default_rng(3), TICKS_PER_SECOND // 20
    for _ in range(2 * 3600 * 20):
        target += block * (1 + ppm * 1e-6)
        follower.step(block, target + chance.normal(0, 0.5 * MS))
        errors.append(follower.error)
    settled = np.array(errors[1200:])  # after a minute
    assert np.percentile(np.abs(settled), 99) < 2 * MS
    assert abs(np.mean(settled)) < 0.1 * MS
    assert follower.drift_ppm == pytest.approx(ppm, abs=20)
    assert follower.jumps == 0


def test_a_leap_fades_without_a_click():
    voice = DelayedVoice(ring_of(tone(4.0, 500)))
    before = voice.read(BLOCK, 48_000.0)
    after = voice.read(BLOCK, 48_000.0 + BLOCK + 5 * JUMP)
    joined = np.concatenate([before, after])
    assert voice.follower.jumps == 1
    steepest = np.abs(np.diff(tone(0.1, 500))).max() + 1.1 / FADE
    assert np.abs(np.diff(joined)).max() < steepest
    assert (
        np.abs(after[FADE:] - tone(4.0, 500)[48_000 + 5 * JUMP + BLOCK :][FADE:BLOCK]).max() < 1e-3
    )


def words(seconds: float, word: float = 0.4, pause: float = 0.3):
    """Tones of 440 Hz, with pauses between them."""
    sound = tone(seconds, 440)
    beat = (np.arange(len(sound)) / TICKS_PER_SECOND) % (word + pause)
    edge = np.clip(np.minimum(beat, word - beat) / 0.01, 0.0, 1.0)
    return (sound * edge).astype(np.float32)


def heard_length(samples) -> float:
    """Seconds of sound in it."""
    return float((np.abs(samples) > 0.02).sum()) / (np.abs(tone(1.0, 440)) > 0.02).sum()


@pytest.mark.parametrize("sooner", [0.05, 0.12, 0.5])
def test_who_is_patient_catches_up_in_pauses_and_leaves_no_word_out(sooner):
    sound = words(8.0)
    voice, begin = DelayedVoice(ring_of(sound)), 9600.0
    blocks = [voice.read(BLOCK, begin + n * BLOCK) for n in range(10)]
    lead = begin + sooner * TICKS_PER_SECOND
    for n in range(10, 600):
        blocks.append(voice.read(BLOCK, lead + n * BLOCK, patient=True))
    got = np.concatenate(blocks)
    assert abs(voice.follower.error) < 2 * MS
    ends = int(voice.follower.tick)
    assert abs(heard_length(got) - heard_length(sound[int(begin) : ends])) < 0.02
    steepest = np.abs(np.diff(tone(0.1, 440))).max() * (1 + FASTEST) + 1e-3
    assert np.abs(np.diff(got)).max() < steepest  # no click


def test_a_rest_begins_and_ends_without_a_click():
    voice = DelayedVoice(ring_of(tone(4.0, 500)))
    blocks = [voice.read(BLOCK, 48_000.0), voice.rest(BLOCK), voice.rest(BLOCK)]
    blocks.append(voice.read(BLOCK, 48_000.0 + BLOCK))
    joined = np.concatenate(blocks)
    steepest = np.abs(np.diff(tone(0.1, 500))).max() + 1.1 / FADE
    assert np.abs(np.diff(joined)).max() < steepest
    assert np.abs(joined[BLOCK + FADE : 3 * BLOCK]).max() == 0.0
    silent = DelayedVoice(ring_of(tone(1.0)))
    assert np.abs(silent.rest(BLOCK)).max() == 0.0


def test_a_picture_that_comes_ever_sooner_is_followed_closely():
    """The presentation delay falls by 0.3 %; the voice has to keep up with it."""
    follower, target, errors = Follower(), 0.0, []
    for _ in range(1000):
        follower.step(BLOCK, target)
        target += BLOCK * (1 + PresentationDelay.FALL)
        errors.append(follower.error)
    assert max(np.abs(errors)) < 5 * MS
    assert follower.jumps == 0


@pytest.mark.parametrize("error", [30 * MS, -30 * MS])
def test_in_a_pause_an_error_is_left_at_once(error):
    sound = 0.3 * tone(4.0, 500)
    sound[96_000:120_000] *= 0.01  # a pause of half a second
    voice, target, jumped = DelayedVoice(ring_of(sound)), 80_000.0, []
    for block in range(100):
        place = target if block == 0 else target + error
        jumped.append(voice.follower.jumps)
        samples = voice.read(BLOCK, place)
        assert np.abs(np.diff(samples)).max() < 0.03  # nothing clicks
        target += BLOCK
    assert voice.follower.jumps == 1
    at = 80_000 + jumped.index(1) * BLOCK
    assert 96_000 < at < 120_000  # not while somebody spoke
    assert abs(voice.follower.error) < 2 * MS


def lived(lost: int, blocks: int, margin: float = 15 * MS) -> tuple[np.ndarray, DelayedVoice]:
    """What leaves while a microphone delivers, after a second without `lost` blocks of it.

    The clock knows nothing of the loss: it asks for `margin` before what would be newest now.
    """
    sound, ring = tone(10.0, 500), RingBuffer()
    voice, left = DelayedVoice(ring), []
    for block in range(blocks):
        if not 100 <= block < 100 + lost:
            ring.append(sound[ring.end : ring.end + BLOCK])
        if block > 10:
            left.append(voice.read(BLOCK, (block + 1) * BLOCK - margin - BLOCK))
    return np.concatenate(left), voice


def longest_silence(samples: np.ndarray) -> int:
    """In ticks; a tone crosses zero, and is below this for less than a millisecond."""
    return int(np.diff(np.flatnonzero(np.abs(samples) > 0.02), prepend=0).max())


@pytest.mark.parametrize("lost", [2, 4, 8, 15])
def test_lost_sound_is_not_waited_for(lost):
    """The clock is ahead of the microphone for a second; the voice goes on all the same."""
    left, voice = lived(lost, 200)
    assert longest_silence(left) < (lost * BLOCK)  # of which it has spared what it held
    after = left[(100 + lost - 11 + 1) * BLOCK :]
    assert longest_silence(after) < 1 * MS
    assert voice.follower.tick > 199 * BLOCK - lost * BLOCK - ROOM - 2 * BLOCK


def test_without_loss_nothing_is_different():
    left, voice = lived(0, 200)
    assert voice.follower.jumps == 0
    assert longest_silence(left) < 1 * MS


def test_a_microphone_that_stops_is_not_heard_again_and_again():
    left, voice = lived(80, 180)
    assert voice.follower.jumps == 1
    assert not np.any(left[(100 + 8) * BLOCK :])
