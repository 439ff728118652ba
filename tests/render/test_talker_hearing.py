"""What a GaussianTalker hears with: streams equal clips, and foreign files cost one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from vcam.audio import cepstra  # noqa: E402 - after the skip
from vcam.errors import WeightsError  # noqa: E402
from vcam.media import FloatArray  # noqa: E402
from vcam.nets.deepspeech import DeepSpeech  # noqa: E402
from vcam.nets.wav2vec import Wav2vec  # noqa: E402
from vcam.render.gaussiantalker.blinks import Blinks  # noqa: E402
from vcam.render.gaussiantalker.letters import (  # noqa: E402
    DeepSpeechLetters,
    Loudness,
    RollingLetters,
)
from vcam.render.gaussiantalker.replay import REACH, RECORDED, Replay  # noqa: E402
from vcam.render.gaussiantalker.rows import FrontEnd  # noqa: E402

GRAPH = Path(__file__).parent.parent / "data" / "parity" / "deepspeech_small.pb"
SIZES = {
    "hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "conv_dim": (32,) * 7, "feat_extract_norm": "layer", "do_stable_layer_norm": True,
    "conv_bias": True, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
    "vocab_size": 44,
}  # fmt: skip


def voice(seconds: float = 1.2) -> FloatArray:
    """Noise in syllables at 16 kHz."""
    steps = np.arange(round(16_000 * seconds))
    noise = np.random.default_rng(3).normal(size=len(steps))
    return (0.1 * noise * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * steps / 16_000))).astype(np.float32)


def heard(front: FrontEnd, sound: FloatArray, sizes: tuple[int, int]) -> torch.Tensor:
    """The rows, the sound given in pieces."""
    front.reset()
    rng, at, rows = np.random.default_rng(1), 0, []
    while at < len(sound):
        size = int(rng.integers(*sizes))
        rows.append(front.hear(sound[at : at + size]))
        at += size
    return torch.cat(rows)


def test_a_stream_of_deepspeech_nears_the_clip_as_it_hears_more_of_the_future():
    net, sound = DeepSpeech.load(GRAPH), voice()
    loudness = Loudness.of(sound)
    errors = []
    for future in (4, 12, 24):
        front = DeepSpeechLetters(net, loudness, future)
        levelled = front._leveller.step(sound)
        whole = cepstra.in_context(cepstra.of_clip((levelled * 32_768).astype(np.int16)))
        normal = (whole - loudness.mean) / loudness.deviation
        clip = net(torch.from_numpy(normal).float())
        rows = heard(front, sound, (400, 1600))
        assert len(rows) >= 20
        errors.append(float((rows - clip[: len(rows)]).abs()[:20].max()))
    assert errors[0] > 3 * errors[1] > 3 * errors[2]
    assert errors[2] < 0.15


def test_however_the_sound_is_cut_the_rows_are_the_same():
    sound = voice(0.8)
    front = DeepSpeechLetters(DeepSpeech.load(GRAPH), Loudness.of(sound))
    assert torch.equal(heard(front, sound, (10**6, 10**6 + 1)), heard(front, sound, (1, 700)))


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert"])
def test_encoders_equal_the_transformers_library_and_stream(kind):
    transformers = pytest.importorskip("transformers", reason="no GPU stack: no transformers")
    torch.manual_seed(0)
    if kind == "wav2vec2":
        theirs = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**SIZES)).eval()
    else:
        theirs = transformers.HubertModel(transformers.HubertConfig(**SIZES)).eval()
    ours, sound = Wav2vec.of(theirs.state_dict()), voice(0.5)
    normal = torch.from_numpy((sound - sound.mean()) / (sound.std(ddof=1) + 1e-6))[None]
    with torch.no_grad():
        wanted = theirs(normal)[0]
        torch.testing.assert_close(ours(torch.from_numpy(sound)[None]), wanted, atol=1e-4, rtol=0)
    assert ours.channels == (44 if kind == "wav2vec2" else 128)
    front = RollingLetters(ours, block=4)
    whole = heard(front, sound, (10**6, 10**6 + 1))
    assert len(whole) > 0
    assert torch.equal(whole, heard(front, sound, (1, 900)))


def test_a_later_deepspeech_is_refused(tmp_path):
    spoilt = GRAPH.read_bytes().replace(b"bidirectional_rnn/bw", b"bidirectional_rnn/xx")
    path = tmp_path / "later.pb"
    path.write_bytes(spoilt)
    with pytest.raises(WeightsError, match="a later DeepSpeech hears in one direction only"):
        DeepSpeech.load(path)


def test_spoilt_graphs_cost_one_sentence(tmp_path):
    whole, rng, path = GRAPH.read_bytes(), np.random.default_rng(0), tmp_path / "spoilt.pb"
    refused = 0
    for index in range(60):
        spoilt = bytearray(whole if index % 2 else whole[: rng.integers(1, len(whole))])
        for place in rng.integers(0, min(len(spoilt), 3000), 6):
            spoilt[place] = rng.integers(256)
        path.write_bytes(bytes(spoilt))
        try:
            DeepSpeech.load(path)
        except WeightsError:
            refused += 1
    assert refused > 30


def test_a_head_is_followed_without_jumps():
    rng = np.random.default_rng(2)
    turns = np.cumsum(rng.normal(size=(200, 3)) * 0.01, axis=0)
    replay = Replay(torch.from_numpy(turns).float())
    wanted = np.array([0.0, 0.05, 0.0], np.float32)
    chosen = [replay.choose(wanted * (index > 20), index * RECORDED) for index in range(120)]
    steps = np.abs(np.diff(chosen))
    assert steps.max() <= REACH
    assert (np.array(chosen) >= 0).all()
    middle = turns - np.median(turns, axis=0)
    before, after = (np.linalg.norm(middle[chosen[at]] - wanted) for at in (20, -1))
    assert after < before


def test_blinks_are_those_that_were_recorded():
    recorded = np.array([0.1] * 40 + [0.3, 1.2, 1.8, 0.9, 0.3] + [0.1] * 40)
    blinks = Blinks(recorded)
    assert blinks.rest == pytest.approx(0.05)
    seen = [blinks.at(48_000 + at * RECORDED, 48_000) for at in range(8)]
    assert set(np.round(seen, 6)) <= set(np.round(np.clip(recorded, 0, 2) / 2, 6))
    assert max(seen) == pytest.approx(0.9)
    assert blinks.at(0, None) == blinks.rest
    assert len(Blinks(np.zeros(30)).episodes[0]) > 3  # who was never seen to blink blinks as usual
