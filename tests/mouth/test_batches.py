"""Several frames painted at once: the pictures that one by one gives."""

import math
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.mouth.small import (  # noqa: E402 - after the skip
    TICKS,
    around,
    face,
    networks,
    speech_like,
    talk,
)
from tests.mouth.test_musetalk import apart  # noqa: E402
from vcam.media import Frame  # noqa: E402
from vcam.mouth.musetalk.features import SpeechFeatures  # noqa: E402
from vcam.mouth.musetalk.painter import MuseTalkMouth  # noqa: E402
from vcam.stages import Batching  # noqa: E402

VOICE = np.concatenate([speech_like(0.2), np.zeros(28_800, np.float32), speech_like(0.6)])
COUNT = 21  # frames: speech, silence, speech


def pictures():
    """A turning head whose face is lost once."""
    frames = [face(turn=0.02 * math.sin(index)) for index in range(COUNT)]
    frames[5] = replace(frames[5], landmarks=None)
    return frames


def together(mouth, frames, voice=VOICE, size=None):
    """Painted some at a time."""
    dated = [Frame(i * TICKS, f.pixels, f.landmarks) for i, f in enumerate(frames)]
    painted = []
    for start in range(0, len(dated), size or mouth.batch):
        some = dated[start : start + (size or mouth.batch)]
        sounds = [around(voice, frame.at, mouth.context) for frame in some]
        painted += mouth.step_many(some, sounds)
    return painted


def psnr(one, other):
    error = np.square(one.array().astype(float) - other.array()).mean()
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def painter(batch):
    """A painter whose ear remembers 2 s, which is faster than 30."""
    net, speech = networks()
    mouth = MuseTalkMouth(net, speech, batch=batch)
    mouth._speech = SpeechFeatures(speech, positions=100, kept=20)
    return mouth


def test_one_at_a_time_is_the_same_to_the_byte():
    alone, listed = painter(1), painter(1)
    assert isinstance(alone, Batching)
    for one, other in zip(
        talk(alone, pictures(), VOICE), together(listed, pictures(), size=5), strict=True
    ):
        np.testing.assert_array_equal(one.array(), other.array())
    assert alone.counts == listed.counts


def test_batches_give_the_same_pictures_but_for_rounding():
    alone, batched = painter(1), painter(3)
    wanted, got = talk(alone, pictures(), VOICE), together(batched, pictures())
    for one, other in zip(got, wanted, strict=True):
        assert psnr(one, other) > 70
        assert apart(one, other).max() <= 1
    assert batched.counts == alone.counts
    assert alone.counts.silent > 1
    assert alone.counts.no_face == 1
    assert alone.counts.painted > 10
    for name in ("colour", "gain"):  # also what the next batch goes on from
        kept = [getattr(mouth._state.seam, name) for mouth in (batched, alone)]
        torch.testing.assert_close(*kept, rtol=0, atol=1e-4)


def test_what_fills_a_batch_is_not_counted():
    mouth = painter(4)
    mouth._inpainter.decode = lambda latents: torch.full_like(
        networks()[0].picture(latents), math.nan
    )
    frames = [face(turn=0.02 * index) for index in range(6)]
    painted = together(mouth, frames)
    assert not any(apart(one, two).any() for one, two in zip(painted, frames, strict=True))
    assert mouth.overflowed == mouth.counts.painted == 5


def test_a_frame_in_a_batch_hears_no_more_than_alone():
    """Also where the speech window begins anew in the middle of it."""
    voice, heard, counts = np.tile(speech_like(1.0), 3), [], []
    for batch in (1, 3):
        mouth = painter(batch)
        asked = []
        for index in range(60):
            frame = replace(face(), at=index * TICKS)
            one = mouth._ask(frame, around(voice, frame.at, mouth.context))
            counts.append(mouth._speech._heard.count)
            if one is not None:
                asked.append(one.samples.clone() if batch == 1 else one.samples)
        heard.append(asked)
    assert min(np.diff(counts[:60])) < 0  # it did begin anew
    torch.testing.assert_close(torch.cat(heard[1]), torch.cat(heard[0]), rtol=0, atol=0)


def test_the_cpu_paints_one_by_one():
    net, speech = networks()
    assert MuseTalkMouth.of(net, speech, None, torch.device("cpu"), batch=4).batch == 1


@pytest.mark.gpu
@pytest.mark.parametrize("compiled", [False, True])
def test_batches_on_a_gpu_give_the_pictures_of_one_by_one(compiled):
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    net, speech = (deepcopy(part).to("cuda") for part in networks())
    alone = MuseTalkMouth(net, speech, compiled=compiled)
    batched = MuseTalkMouth(net, speech, compiled=compiled, batch=4)
    wanted, got = talk(alone, pictures(), VOICE), together(batched, pictures())
    assert min(psnr(one, other) for one, other in zip(got, wanted, strict=True)) > 50
