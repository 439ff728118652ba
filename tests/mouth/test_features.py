"""Speech features by tick: any cut of the sound, any length, and how far they reach."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.mouth.small import networks, speech_like  # noqa: E402 - after the skip
from vcam.audio.resample import Decimator  # noqa: E402
from vcam.media import AudioChunk  # noqa: E402
from vcam.mouth.musetalk.features import POSITION_TICKS, SpeechFeatures, context_ticks  # noqa: E402
from vcam.nets import musetalk as nets  # noqa: E402


def features(**options):
    return SpeechFeatures(networks()[1], **{"positions": 300, "kept": 100, **options})


@pytest.mark.parametrize("size", [160, 1600, 4801])
def test_chunking_is_invisible(size):
    voice = speech_like(1.0)
    whole, pieces = features(), features()
    whole.hear(AudioChunk(0, voice))
    for start in range(0, len(voice), size):
        pieces.hear(AudioChunk(start, voice[start : start + size]))
    torch.testing.assert_close(pieces.window(24_000), whole.window(24_000), rtol=0, atol=0)


def test_what_is_heard_twice_counts_once():
    voice = speech_like(1.0)
    whole, overlapping = features(), features()
    whole.hear(AudioChunk(0, voice))
    for start in range(0, len(voice), 1920):
        overlapping.hear(AudioChunk(max(start - 3000, 0), voice[max(start - 3000, 0) :][:4920]))
    torch.testing.assert_close(overlapping.window(24_000), whole.window(24_000), rtol=0, atol=0)


def test_a_gap_is_silence():
    voice = speech_like(1.0)
    silent = voice.copy()
    silent[10_000:20_000] = 0
    whole, gappy = features(), features()
    whole.hear(AudioChunk(0, silent))
    gappy.hear(AudioChunk(0, voice[:10_000]))
    gappy.hear(AudioChunk(20_000, voice[20_000:]))
    torch.testing.assert_close(gappy.window(24_000), whole.window(24_000), rtol=0, atol=0)


def test_it_equals_the_padded_recording():
    """Sound with nothing before it: the same states as upstream's, four positions later."""
    voice = speech_like(1.0)
    streaming = features()
    streaming.hear(AudioChunk(0, voice))
    lead = np.zeros(4 * POSITION_TICKS, np.float32)
    low = Decimator().step(np.concatenate([lead, voice]))[Decimator.delay // 3 :]
    padded = torch.zeros(1, 300 * nets.POSITION)
    padded[0, : len(low)] = torch.from_numpy(low)
    encoder = networks()[1]
    with torch.inference_mode():
        states = encoder(nets.LogMel()(padded))[0]
    # Position 30 is tick 26 * 960: the window begins four positions before the sound.
    wanted = nets.speech_window(states, 30) + nets.token_positions(30, 48)
    torch.testing.assert_close(streaming.window(26 * POSITION_TICKS), wanted, rtol=0, atol=2e-5)


def test_the_declared_context_is_enough_and_no_more_than_needed():
    """Sound after the context cannot change what goes into the encoder for the frame's window."""
    at, context = 25_000, context_ticks(6)
    loud = speech_like(1.0)
    changed = loud.copy()
    changed[at + context :] = changed[at + context :][::-1]  # as loud: the common floor stays
    first = [_lowest_states(voice, at) for voice in (loud, changed)]
    torch.testing.assert_close(first[0], first[1], rtol=0, atol=1e-5)
    early = at + context - POSITION_TICKS // 2
    changed[early:] = loud[early:][::-1]
    assert (_lowest_states(changed, at) - first[0]).abs().max() > 1e-3


def _lowest_states(voice, at):
    heard = features()
    heard.hear(AudioChunk(0, voice))
    states = networks()[1]
    count = len(states.layers) + 1
    return heard.window(at)[::count]


def test_less_lookahead_hears_zeros():
    heard = features(lookahead=4)
    heard.hear(AudioChunk(0, speech_like(1.0)))
    tokens = heard.window(24_000) - heard.listener.places
    assert not tokens[8 * 3 :].any()
    assert tokens[: 8 * 3].any()
    assert context_ticks(6) - context_ticks(4) == 2 * POSITION_TICKS


def test_a_long_speech_goes_on_where_the_window_begins_anew():
    """Three windows long; the same sound around the frame gives nearly what a fresh window does."""
    voice = np.tile(speech_like(2.0), 8)
    long = features()
    for start in range(0, len(voice), 1920):
        long.hear(AudioChunk(start, voice[start : start + 1920]))
        tokens = long.window(start)
        assert tokens.isfinite().all()
        assert long._heard.count <= 300 * nets.POSITION
    assert long._heard.origin % POSITION_TICKS == 0
    assert long.window(len(voice) - 9600).isfinite().all()


def test_one_chunk_longer_than_the_window_is_taken_in_whole():
    long = features()
    long.hear(AudioChunk(0, np.tile(speech_like(2.0), 8)))
    assert long._end() == 16 * 48_000
    assert (long.window(15 * 48_000) - long.listener.places).any()


def test_a_jump_far_ahead_starts_afresh():
    heard, fresh = features(), features()
    heard.hear(AudioChunk(0, speech_like(1.0)))
    far = AudioChunk(100 * 48_000, speech_like(1.0))
    heard.hear(far)
    fresh.hear(far)
    at = far.start + 24_000
    torch.testing.assert_close(heard.window(at), fresh.window(at), rtol=0, atol=0)
