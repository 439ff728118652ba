"""ARTalk as a stage: both modes, any chunking, bad sound."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fakes import tone
from vcam.errors import ConfigError, WeightsError
from vcam.media import AudioChunk, FlameFace

torch = pytest.importorskip("torch")

from tests.motion.tiny_artalk import CONFIG, tiny_net  # noqa: E402 - after the skip
from vcam.motion.artalk.model import ArtalkMotion, read_style  # noqa: E402
from vcam.motion.artalk.modes import Broadcast  # noqa: E402
from vcam.motion.artalk.savgol import smooth  # noqa: E402
from vcam.motion.artalk.sliding import TalkSettings  # noqa: E402
from vcam.motion.head_pose import FaceBasis  # noqa: E402
from vcam.nets.artalk import ArtalkNet  # noqa: E402

pytestmark = pytest.mark.slow  # minutes of sound through a small network
FRAME = 1920
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def net():
    return tiny_net()


@pytest.fixture
def style():
    return (np.random.default_rng(5).normal(0, 0.3, (50, 106))).astype(np.float32)


def speechlike(seconds, seed=0):
    """Noise with syllables at 48 kHz."""
    count = round(seconds * 48_000)
    noise = np.random.default_rng(seed).normal(0, 0.1, count)
    beat = 0.5 + 0.5 * np.sin(2 * np.pi * 4 / 48_000 * np.arange(count))
    return (noise * beat).astype(np.float32)


def heard(model, sound, size=None, start=0):
    size = size or len(sound)
    motions = []
    for first in range(0, len(sound), size):
        motions += model.step(AudioChunk(start + first, sound[first : first + size]))
    return motions


def numbers(motions):
    return np.array([np.r_[m.at, m.head, m.face.expression, m.face.jaw] for m in motions])


@pytest.mark.parametrize("size", [1, 160, 641, 4000, 64_000])
def test_chunks_are_the_same_however_16_khz_sound_is_cut(net, style, size):
    samples = decimated(speechlike(9))
    mode = Broadcast(net, net.style(torch.from_numpy(style)[None]), CPU)
    whole = np.array([frame.motion for frame in mode.step(samples) + mode.finish()])
    frames = []
    for first in range(0, len(samples), size):
        frames += mode.step(samples[first : first + size])
    pieces = np.array([frame.motion for frame in frames + mode.finish()])
    assert whole.shape == (225, 106)
    assert np.max(np.abs(pieces - whole)) == 0


@pytest.mark.parametrize("size", [641, 4000])
def test_broadcast_is_the_same_however_the_sound_is_cut(net, style, size):
    sound = speechlike(9)
    model = ArtalkMotion(net, "broadcast", style, device=CPU)
    whole = numbers(heard(model, sound) + model.finish())
    model.reset()
    pieces = numbers(heard(model, sound, size) + model.finish())
    assert len(whole) == len(sound) // FRAME
    assert np.max(np.abs(pieces - whole)) == 0


def test_broadcast_is_upstreams_one_shot_path(net, style):
    """Chunks of 64,000 padded with zeros, each after the last, then the smoother of the clip."""
    sound = speechlike(9)
    model = ArtalkMotion(net, "broadcast", style, device=CPU)
    motions = numbers(heard(model, sound) + model.finish())
    samples = torch.from_numpy(np.asarray(decimated(sound)))
    padded = torch.nn.functional.pad(samples, (0, -len(samples) % 64_000))
    condition, past, raw = net.style(torch.from_numpy(style)[None]), torch.zeros(1, 100, 106), []
    for chunk in padded.split(64_000):
        past = net.decode(chunk[None], past, condition)
        raw.append(past[0].numpy())
    expected = smooth(np.concatenate(raw)[: len(motions)])
    np.testing.assert_array_equal(motions[:, 1:4].astype(np.float32), expected[:, 100:103])
    np.testing.assert_array_equal(motions[:, 4:104].astype(np.float32), expected[:, :100])
    np.testing.assert_array_equal(motions[:, 104].astype(np.float32), expected[:, 103])
    assert not motions[:, 105:].any()


def decimated(sound):
    """The samples that frame 0 begins with, at 16 kHz."""
    from vcam.audio.resample import Decimator

    return Decimator().step(sound)[Decimator.delay // 3 :]


@pytest.mark.parametrize("size", [1, 160, 641, 4000])
def test_talk_is_the_same_however_the_sound_is_cut(net, size):
    sound = speechlike(0.4 if size == 1 else 1.5)
    model = ArtalkMotion(net, "talk", device=CPU)
    whole = numbers(heard(model, sound))
    model.reset()
    np.testing.assert_array_equal(numbers(heard(model, sound, size)), whole)


@pytest.mark.parametrize(("hop", "look_ahead"), [(1, 2), (2, 1), (4, 2), (25, 0)])
def test_talk_is_as_late_as_it_says(net, hop, look_ahead):
    model = ArtalkMotion(net, settings=TalkSettings(hop, look_ahead), device=CPU)
    late, ticks = [], []
    for end in range(480, 48_000 * 3 // 2, 480):
        for motion in model.step(AudioChunk(end - 480, speechlike(0.01, end))):
            assert isinstance(motion.face, FlameFace)
            late.append(end - motion.at)
            ticks.append(motion.at)
    assert ticks == [index * FRAME for index in range(len(ticks))]
    assert model.delay == (hop + look_ahead) * FRAME + 72
    assert model.delay <= max(late) < model.delay + 480


def test_a_stream_may_start_anywhere_and_a_gap_starts_anew(net):
    model = ArtalkMotion(net, device=CPU)
    sound = speechlike(0.5)
    motions = heard(model, sound, start=1000) + heard(model, sound, start=100_001)
    ticks = [m.at for m in motions]
    assert ticks[0] == FRAME
    assert all(at % FRAME == 0 for at in ticks)
    assert next(at for at in ticks if at > 50_000) == 53 * FRAME


def test_talk_matches_the_rule_written_out(net):
    """One hop after the other with the plain net: window, past, soft level, offset, spring."""
    sound = speechlike(0.8, seed=3)
    settings = TalkSettings(loudness_floor=0.0, head_limit=3.2, rest_after=60)
    motions = numbers(heard(ArtalkMotion(net, settings=settings, device=CPU), sound))
    ring = np.concatenate([np.zeros(64_000, np.float32), decimated(sound)])
    shown, position, velocity = np.zeros((200, 106), np.float32), None, 0.0
    for n in range(len(motions)):
        audio = torch.from_numpy(ring[640 * (n + 3) : 640 * (n + 3) + 64_000].copy())[None]
        past = torch.from_numpy(shown[n + 3 : n + 103].copy())[None]
        window = net.decode(audio, past, net.style(None), soft=1)[0].numpy()
        frame = window[97] + (shown[-1] - window[96]) * np.float32(np.exp(-0.35))
        frame[100:103] = window[97, 100:103]
        shown = np.concatenate([shown, frame[None]])
        target, s = frame[100:103].astype(np.float64), 1.678 / 3
        position = target if position is None else position
        p, q = position - target, velocity + s * (position - target)
        position, velocity = target + (p + q) * np.exp(-s), (velocity - s * q) * np.exp(-s)
        np.testing.assert_allclose(motions[n, 4:104], frame[:100], atol=1e-4)
        np.testing.assert_allclose(motions[n, 104], frame[103], atol=1e-4)
        np.testing.assert_allclose(motions[n, 1:4], 3.2 * np.tanh(position / 3.2), atol=1e-4)


@pytest.mark.parametrize("mode", ["talk", "broadcast"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 40.0])
def test_bad_sound_gives_calm_motion(net, mode, bad):
    sound = speechlike(4.5 if mode == "broadcast" else 0.6)
    sound[5000:9000] = bad
    model = ArtalkMotion(net, mode, device=CPU)
    motions = numbers(heard(model, sound, 4800) + model.finish())
    assert len(motions)
    assert np.isfinite(motions).all()
    assert np.abs(motions[:, 1:]).max() < 100


@pytest.mark.parametrize("mode", ["talk", "broadcast"])
def test_no_sound_at_all_gives_no_motion(net, mode):
    model = ArtalkMotion(net, mode, device=CPU)
    assert model.step(AudioChunk(0, np.zeros(0, np.float32))) == []
    assert model.finish() == []


def test_a_net_that_yields_nan_leaves_the_face_still(net):
    broken = tiny_net()
    model = ArtalkMotion(broken, device=CPU)
    before = numbers(heard(model, speechlike(0.5)))[-1]
    model._mode._fast.codec._codec.motion_std.fill_(torch.nan)
    after = numbers(model.step(AudioChunk(24_000, speechlike(0.3))))
    assert model._mode.broken > 0
    np.testing.assert_array_equal(after[:, 4:104], np.tile(before[4:104], (len(after), 1)))


def test_silence_brings_the_mouth_to_rest_and_blinks_go_on(net):
    blink, mouth = np.zeros(100, np.float32), np.eye(100, dtype=np.float32)[:40]
    blink[50] = 1
    model = ArtalkMotion(net, basis=FaceBasis(blink, mouth), seed=1, device=CPU)
    motions = numbers(heard(model, np.zeros(48_000 * 14, np.float32), 48_000))
    resting = motions[40:]
    assert not resting[:, 104].any()
    assert np.abs(resting[:, 4:44]).max() < 1e-5
    lids = resting[:, 54]
    assert 2 <= np.sum(np.diff((lids > np.median(lids) + 0.5).astype(int)) == 1) <= 7


def test_a_voice_wakes_the_mouth_at_once(net):
    settings = TalkSettings(voice_level=0.05)
    model = ArtalkMotion(net, settings=settings, device=CPU)
    voice = tone(0.6, 140, 0.3) * np.sign(tone(0.6, 140, 1.0)) + speechlike(0.6)
    sound = np.concatenate([np.zeros(2 * 48_000, np.float32), voice.astype(np.float32)])
    face = np.abs(numbers(heard(model, sound))[:, 4:105]).max(axis=1)
    assert face[40:46].max() < 1e-6
    assert face[-3:].min() > 1e-3


def test_cached_convolutions_follow_the_full_ones(net):
    """The same features while the level of the sound is steady."""
    sound = np.tile(speechlike(0.5), 16)
    floor = {"loudness_floor": 1.0, "voice_level": 1.0}  # one divisor for all windows
    plain = ArtalkMotion(net, settings=TalkSettings(**floor), device=CPU)
    cached = TalkSettings(**floor, cache_convolutions=True)
    got = numbers(heard(ArtalkMotion(net, settings=cached, device=CPU), sound))
    expected = numbers(heard(plain, sound))
    spread = expected[120:, 4:104].std()
    assert np.abs(got - expected)[120:, 4:104].mean() < 0.1 * spread


def test_the_speakers_level_is_learnt_and_kept(net):
    model = ArtalkMotion(net, device=CPU)
    assert model.voice_level == 0
    voice = np.tile(np.sign(tone(0.1, 140)) * 0.1 + speechlike(0.1), 60).astype(np.float32)
    heard(model, voice * np.repeat([1.0, 0.2] * 15, len(voice) // 30).astype(np.float32))
    level = model.voice_level
    assert 0.02 < level < 0.3


@pytest.mark.parametrize("shape", [(50, 105), (49, 106), (106,)])
def test_a_style_of_another_shape_is_refused(tmp_path, net, shape):
    torch.save(torch.zeros(shape), tmp_path / "style.pt")
    with pytest.raises(ConfigError, match=r"style\.pt: a style clip is .*\(50, 106\)"):
        ArtalkMotion(net, style=tmp_path / "style.pt", device=CPU)


def test_a_style_that_is_a_slice_of_a_longer_tensor_reads_right(tmp_path):
    whole = torch.arange(120 * 106.0).reshape(120, 106)
    torch.save(whole[7:57], tmp_path / "style.pt")
    np.testing.assert_array_equal(read_style(tmp_path / "style.pt"), whole[7:57].numpy())


def test_a_style_that_is_not_finite_and_an_unknown_mode_are_refused(net):
    with pytest.raises(ConfigError, match="not finite"):
        ArtalkMotion(net, style=np.full((50, 106), np.nan, np.float32), device=CPU)
    with pytest.raises(ConfigError, match="unknown ARTalk mode live"):
        ArtalkMotion(net, "live", device=CPU)


def test_a_checkpoint_loads_with_either_spelling(tmp_path, net):
    state = net.state_dict()
    stem = "audio_encoder.encoder.pos_conv_embed.conv."
    old = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): value
        for key, value in state.items()
    }
    assert f"{stem}weight_g" in old
    torch.save(state, tmp_path / "new.pt")
    torch.save(old, tmp_path / "old.pt")
    audio = torch.from_numpy(speechlike(4 / 3))[None]
    inputs = audio, torch.zeros(1, 100, 106), net.style(None)
    for name in ("new.pt", "old.pt"):
        loaded = ArtalkNet.load(tmp_path / name, config=CONFIG)
        torch.testing.assert_close(loaded.decode(*inputs), net.decode(*inputs), rtol=0, atol=0)
    del state["pos_embed"]
    torch.save(state, tmp_path / "short.pt")
    with pytest.raises(WeightsError, match="missing pos_embed"):
        ArtalkNet.load(tmp_path / "short.pt", config=CONFIG)
