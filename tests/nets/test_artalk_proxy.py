"""The synthetic face and the stand-in's front end."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from vcam.errors import WeightsError  # noqa: E402 - after the skip
from vcam.nets.artalk import EXPRESSION, MOTION, normalise  # noqa: E402
from vcam.nets.artalk_proxy import LIPS, MelEncoder, SyntheticFace, load_proxy  # noqa: E402


@pytest.fixture(scope="module")
def speech():
    """Four voices of coloured, syllabic noise, [4, 6 s]."""
    draw = np.random.default_rng(0)
    noise = draw.normal(0, 1, (4, 96_000))
    coloured = np.apply_along_axis(np.convolve, 1, noise, np.hanning(9), mode="same")
    beat = np.repeat(draw.uniform(0.05, 1, (4, 48)), 2000, axis=1)
    return torch.from_numpy((0.05 * coloured * beat).astype(np.float32))


@pytest.fixture(scope="module")
def face(speech):
    face = SyntheticFace(1)
    face.fit(speech)
    return face


def test_a_seed_gives_one_face_and_one_motion(face, speech):
    motion = face(speech, 5)
    assert motion.shape == (4, 150, MOTION)
    torch.testing.assert_close(face(speech, 5), motion, rtol=0, atol=0)
    assert not torch.equal(face(speech, 6), motion)
    assert not torch.equal(SyntheticFace(2).mix, face.mix)


def test_the_lips_are_read_back_from_expression(face, speech):
    """Lips have deviation about 1, and the readout finds the ones that were mixed in."""
    motion = face(speech, 5)
    lips = motion @ face.readout()
    again = torch.zeros(4, 150, 14)
    again[..., :LIPS] = lips
    rest = motion[..., EXPRESSION] - again @ face.mix
    assert torch.linalg.matrix_rank(rest.flatten(0, 1), rtol=1e-3) <= 4  # brows and lids remain
    assert 0.6 < float(lips.std(dim=1).mean()) < 1.4


def test_the_lips_follow_the_sound_and_not_its_loudness(face, speech):
    motion = face(speech, 5)
    torch.testing.assert_close(face(0.1 * speech, 5), motion, atol=1e-4, rtol=0)
    changed = speech.clone()
    changed[:, 48_000:] = changed[:, 48_000:].flip(1)
    moved = ((face(changed, 5) - motion) @ face.readout()).abs().mean((0, 2))
    assert moved[100:].mean() > 5 * moved[:60].mean()


def test_the_tracker_adds_noise_of_its_own_size(face, speech):
    motion = face(speech, 5)
    noise = (face.tracked(motion, 1) - motion)[..., EXPRESSION].std((0, 1))
    share = noise / motion[..., EXPRESSION].std((0, 1))
    assert float(share.min()) > 0.02
    assert float(share.max()) < 0.4


def test_the_front_end_gives_a_frame_every_twenty_milliseconds():
    heard = MelEncoder().eval()(normalise(torch.randn(2, 64_000)))
    assert heard.shape == (2, 199, 256)


def test_another_checkpoint_is_no_proxy(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "proxy.pt")
    with pytest.raises(WeightsError, match="surplus a"):
        load_proxy(tmp_path / "proxy.pt")
