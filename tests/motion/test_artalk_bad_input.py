"""ARTalk and what it must not choke on: checkpoints that are none, sound that is none."""

from __future__ import annotations

import numpy as np
import pytest

from vcam.errors import WeightsError
from vcam.media import AudioChunk

torch = pytest.importorskip("torch")

from tests.motion.tiny_artalk import CONFIG, tiny_net  # noqa: E402 - after the skip
from tests.tensors.test_checkpoint import Bomb  # noqa: E402
from vcam.motion.artalk.model import ArtalkMotion, usable  # noqa: E402
from vcam.nets.artalk import ArtalkNet  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def net():
    return tiny_net()


@pytest.fixture
def saved(net, tmp_path):
    """Writes a change of the tiny net's checkpoint."""

    def save(change=lambda state: None):
        state = net.state_dict()
        change(state)
        torch.save(state, tmp_path / "artalk.pt")
        return tmp_path / "artalk.pt"

    return save


def load(path, sha256=None):
    return ArtalkNet.load(path, sha256, CONFIG)


def test_what_is_missing_surplus_or_misshapen_is_named_all_at_once(saved):
    def change(state):
        del state["pos_embed"]
        state["novel"] = torch.zeros(3)
        state["logits_head.bias"] = torch.zeros(7)

    with pytest.raises(WeightsError, match="missing pos_embed") as caught:
        load(saved(change))
    text = str(caught.value)
    assert "surplus novel" in text
    assert "logits_head.bias is (7,), not (64,)" in text


def test_half_a_spelling_of_the_weight_norm_is_missing_the_other_half(saved):
    def change(state):
        (key,) = [key for key in state if key.endswith("parametrizations.weight.original0")]
        state[key.replace("parametrizations.weight.original0", "weight_g")] = state.pop(key)
        del state[key.replace("original0", "original1")]

    with pytest.raises(WeightsError, match=r"missing .*parametrizations\.weight\.original1"):
        load(saved(change))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_checkpoint_is_refused(saved, share):
    path = saved()
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(WeightsError, match="damaged"):
        load(path)


def test_code_in_a_checkpoint_is_refused_and_not_run(saved, tmp_path):
    path = saved(lambda state: state.update(pos_embed=Bomb(tmp_path / "ran")))
    with pytest.raises(WeightsError, match="nothing of it was run"):
        load(path)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_of_another_hash_is_refused(saved):
    with pytest.raises(WeightsError, match="not 0000"):
        load(saved(), "0" * 64)


def test_sound_that_is_no_number_is_silence_and_too_loud_sound_is_clipped():
    given = np.array([np.nan, np.inf, -np.inf, 40, -40, 0.5], np.float32)
    np.testing.assert_array_equal(usable(given), np.float32([0, 0, 0, 1, -1, 0.5]))


def numbers(motions):
    return np.array([np.r_[m.head, m.face.expression, m.face.jaw] for m in motions])


@pytest.mark.parametrize("mode", ["talk", "broadcast"])
@pytest.mark.parametrize("sound", ["clipped", "silence", "one click", "direct current"])
def test_sound_that_is_hardly_any_gives_calm_motion(net, mode, sound):
    count = 48_000 * 9 // 2 if mode == "broadcast" else 24_000
    samples = np.zeros(count, np.float32)
    if sound == "clipped":
        samples[:] = np.clip(np.random.default_rng(0).normal(0, 30, count), -1, 1)
    elif sound == "one click":
        samples[1000] = 1
    elif sound == "direct current":
        samples[:] = 0.7
    model = ArtalkMotion(net, mode, device=CPU)
    shown = numbers(model.step(AudioChunk(0, samples)) + model.finish())
    assert len(shown) >= 9
    assert np.isfinite(shown).all()
    assert np.abs(shown).max() < 100


@pytest.mark.parametrize("mode", ["talk", "broadcast"])
def test_a_net_that_breaks_and_mends_never_shows_nan(mode):
    """One bad window is not remembered: what comes after it is sound again."""
    net = tiny_net()
    model = ArtalkMotion(net, mode, device=CPU)
    codec = model._mode._fast.codec._codec if mode == "talk" else net.basic_vae
    sound = np.random.default_rng(2).normal(0, 0.1, 4 * 48_000).astype(np.float32)
    usual, shown, heard = codec.motion_std.clone(), [], 0
    for broken in (False, True, False):
        codec.motion_std.copy_(torch.full_like(usual, torch.nan) if broken else usual)
        part = sound if mode == "broadcast" else sound[:9600]
        shown.append(numbers(model.step(AudioChunk(heard, part))))
        heard += len(part)
    assert all(np.isfinite(each).all() for each in shown)
    assert model._mode.broken
    assert np.ptp(shown[-1][-3:, 3:103], axis=0).max() > 1e-4, "the face moves on"
