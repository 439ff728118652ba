"""The mouth painter: what it changes, what it leaves alone, and what it refuses."""

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.mouth.small import (  # noqa: E402 - after the skip
    SIZE,
    TICKS,
    around,
    face,
    networks,
    small_mouth,
    speech_like,
    stand_in_mouth,
    talk,
)
from tests.nets.test_musetalk import released  # noqa: E402
from vcam.errors import DeviceError  # noqa: E402
from vcam.media import Frame  # noqa: E402
from vcam.mouth.musetalk.painter import MuseTalkMouth  # noqa: E402

VOICE = speech_like(3.0)


def opened(crop):
    """A mouth where there was none: a dark ellipse in the lower half."""
    side = crop.shape[-1]
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    hole = ((x / side - 0.5) / 0.16) ** 2 + ((y / side - 0.77) / 0.08) ** 2
    return crop * hole.clamp(0.0, 1.0) ** 4


def apart(one, other):
    return np.abs(one.array().astype(int) - other.array())


def test_it_paints_the_lower_face_while_someone_speaks():
    mouth = small_mouth()
    painted = talk(mouth, [face()] * 8, VOICE)
    change = apart(painted[-1], face()).max(axis=2)
    points = face().landmarks
    ys, xs = np.nonzero(change > 3)
    assert len(ys) > 500
    assert ys.min() > points[29, 1]
    assert ys.max() < points[:, 1].max() + 10
    assert xs.min() >= points[:, 0].min() - 1
    assert xs.max() <= points[:, 0].max() + 1
    assert mouth.counts.painted == 7  # the first frame fades in from nothing
    assert painted[-1].at == 7 * TICKS
    assert painted[-1].landmarks is points


def test_silence_gives_the_very_frames_back():
    mouth = small_mouth()
    mouth._inpainter.listener.forward = None  # the speech encoder sleeps as well
    frames = [face(at=i * TICKS) for i in range(5)]
    for frame, painted in zip(
        frames, talk(mouth, frames, np.zeros(48_000, np.float32)), strict=True
    ):
        assert painted.pixels is frame.pixels
    assert mouth.counts.silent == 5


@pytest.mark.parametrize("blend", ["bands", "soft"])
def test_its_own_crop_changes_nothing_outside_the_mask_and_little_in_the_feather(blend):
    mouth = stand_in_mouth(blend=blend)
    painted = talk(mouth, [face()] * 8, VOICE)[-1]
    change = apart(painted, face())
    lips = face().landmarks[48:60]
    inside = np.zeros((SIZE, SIZE), bool)
    (left, top), (right, bottom) = lips.min(0).astype(int) - 12, lips.max(0).astype(int) + 13
    inside[top:bottom, left:right] = True
    assert not change[~inside].any()
    assert change.mean(axis=2)[inside].mean() < 1.0


@pytest.mark.parametrize("blend", ["bands", "soft", "jaw", "raw", "neck"])
def test_every_blend_opens_the_mouth(blend):
    painted = talk(stand_in_mouth(opened, blend=blend), [face()] * 8, VOICE)[-1]
    inner = face().landmarks[60:68].mean(axis=0).astype(int)
    assert (
        painted.array()[inner[1], inner[0]].sum() < 0.6 * face().array()[inner[1], inner[0]].sum()
    )


def test_strength_is_how_much_of_it():
    full, half = (
        apart(talk(stand_in_mouth(opened, strength=s), [face()] * 8, VOICE)[-1], face()).sum()
        for s in (1.0, 0.5)
    )
    assert half == pytest.approx(full / 2, rel=0.05)


def trembling(frames, pixels, seed=4):
    random = np.random.default_rng(seed)
    for _ in range(frames):
        yield replace(face(), landmarks=face().landmarks + random.uniform(-pixels, pixels, 2)
                      .astype(np.float32))  # fmt: skip


def test_a_trembling_box_does_not_shake_the_seam():
    """± 2 pixels: at most a quarter of what they would do to the seam without smoothing."""

    def shaking(steady):
        mouth = stand_in_mouth(lambda crop: crop * 0.7, blend="soft")
        mouth._inpainter.blender.matched = False  # else the darkening itself would be taken out
        if not steady:
            mouth._state.steady.step = lambda points: points
        shown = [f.array().astype(float) for f in talk(mouth, list(trembling(30, 2.0)), VOICE)]
        return np.abs(np.diff(shown[8:], axis=0)).mean()

    assert shaking(steady=True) <= 0.25 * shaking(steady=False)


def test_no_jump_where_speech_begins_and_ends():
    """A mouth that the voice moves: the switch moves the picture no more than speaking does."""
    quiet = np.zeros(48_000, np.float32)
    voice = np.concatenate([quiet, VOICE[:48_000], quiet, quiet])
    mouth = stand_in_mouth(blend="bands")
    heard = []  # how wide the voice opens the mouth, frame by frame

    def frames():
        for index in range(95):
            loud = np.abs(voice[index * TICKS :][:TICKS]).mean() > 0.01
            heard.append(0.5 - 0.5 * np.cos(2 * np.pi * index / 6) if loud else 0.0)
            yield face()

    mouth._inpainter.net.unet.change = lambda crop: torch.lerp(crop, opened(crop), float(heard[-1]))
    shown = [f.array().astype(float) for f in talk(mouth, frames(), voice)]
    steps = np.array([np.abs(b - a).mean() for a, b in pairwise(shown)])
    moving = np.flatnonzero(steps)
    begin, end = moving[0], moving[-1]
    switches = np.r_[steps[begin : begin + 5], steps[end - 4 : end + 1]]
    assert steps[begin + 5 : end - 4].max() > 0.3
    assert switches.max() <= steps[begin + 5 : end - 4].max()


def bad_faces():
    points = face().landmarks
    broken = points.copy()
    broken[50] = np.nan
    return {
        "none": None,
        "nan": broken,
        "few": points[:5],
        "tiny": points * 0.1,
    }


@pytest.mark.parametrize("kind", ["none", "nan", "few", "tiny"])
def test_a_frame_without_a_usable_face_stays_as_it_is(kind):
    mouth = small_mouth()
    frames = [replace(face(), landmarks=bad_faces()[kind])] * 3
    for painted in talk(mouth, frames, VOICE):
        assert painted.pixels is frames[0].pixels
    assert mouth.counts.no_face == 3


@pytest.mark.parametrize("shift", [[-90, 0], [90, 0], [0, 90]])
def test_a_face_half_outside_stays_as_it_is(shift):
    mouth = small_mouth()
    points = face().landmarks + np.array(shift, np.float32)
    frames = [replace(face(), landmarks=points)] * 3
    assert all(painted.pixels is frames[0].pixels for painted in talk(mouth, frames, VOICE))
    assert mouth.counts.off_picture == 3


def test_a_box_larger_than_the_picture_stays_as_it_is():
    mouth = small_mouth()
    centre = np.float32(SIZE / 2)
    points = (face().landmarks - centre) * 4 + centre
    talk(mouth, [replace(face(), landmarks=points)] * 3, VOICE)
    assert mouth.counts.off_picture == 3


def test_a_face_slightly_outside_is_painted():
    mouth = small_mouth()
    left = face().landmarks[:, 0].min()
    points = face().landmarks - np.array([left + 4, 0], np.float32)
    painted = talk(mouth, [replace(face(), landmarks=points)] * 4, VOICE)
    assert mouth.counts.painted == 3
    assert apart(painted[-1], face()).any()


def test_after_a_lost_face_the_mouth_fades_in_again():
    mouth = stand_in_mouth(opened)
    lost = replace(face(), landmarks=None)
    shown = talk(mouth, [face()] * 8 + [lost] + [face()] * 8, VOICE)
    amounts = [apart(frame, face()).sum() for frame in shown]
    assert amounts[8] == 0
    assert amounts[9] < 0.3 * amounts[16]
    assert amounts[16] == pytest.approx(amounts[7], rel=0.05)


def test_numbers_that_overflow_leave_the_frame_and_are_counted():
    mouth = stand_in_mouth(lambda crop: crop / 0.0)
    painted = talk(mouth, [face()] * 6, VOICE)
    assert not apart(painted[-1], face()).any()
    assert mouth.overflowed == mouth.counts.painted == 5
    mouth._inpainter.net.unet.change = opened
    assert apart(talk(mouth, [face()] * 2, VOICE, first=6)[-1], face()).any()  # it recovers whole


@pytest.mark.slow
@pytest.mark.parametrize(("part", "factor"), [("conv_in", 1e5), ("conv_out", 3e5)])
def test_half_precision_that_overflows_in_the_image_coder_leaves_the_frame(part, factor):
    """Image coders like this one are known to overflow; this one does on every picture."""
    net, speech = (deepcopy(part) for part in networks())
    weight = getattr(net.coder.vae.decoder, part).weight
    weight.mul_(factor)
    assert weight.half().isfinite().all()
    mouth = MuseTalkMouth(net.half(), speech.half())
    painted = talk(mouth, [face()] * 4, VOICE)
    assert not any(apart(frame, face()).any() for frame in painted)
    assert mouth.overflowed == mouth.counts.painted == 3
    assert mouth.remark == "mouths not painted: 3 overflowed"


def test_people_are_told_what_was_not_painted():
    mouth = small_mouth()
    lost = replace(face(), landmarks=None)
    away = replace(face(), landmarks=face().landmarks + np.float32([90, 0]))
    talk(mouth, [face(), lost, lost, away], VOICE)
    told = "mouths not painted: 2 without a face, 1 with the face off the picture"
    assert mouth.remark == told
    mouth.reset()
    assert mouth.remark == told  # a run's counts outlive a gap in the sound
    assert small_mouth().remark == ""


def test_reset_makes_it_new():
    mouth = small_mouth()
    first = talk(mouth, [face()] * 5, VOICE)
    mouth.reset()
    for again, before in zip(talk(mouth, [face()] * 5, VOICE), first, strict=True):
        np.testing.assert_array_equal(again.array(), before.array())


def test_frames_left_out_do_not_change_what_is_heard():
    """The pipeline skips late frames; the sound around the next one closes gaps of three frames."""
    every, some = small_mouth(), small_mouth()
    talk(every, [face()] * 10, VOICE)
    for index in (0, 3, 6, 9):
        frame = Frame(index * TICKS, face().pixels, face().landmarks)
        some.step(frame, around(VOICE, frame.at, some.context))
    at = 9 * TICKS
    torch.testing.assert_close(some._speech.window(at), every._speech.window(at), rtol=0, atol=0)


def test_it_warms_up_and_then_starts_from_nothing():
    warm, cold = small_mouth(), small_mouth()
    warm.warm_up(SIZE, SIZE)
    assert warm.counts.painted == 0
    for one, other in zip(
        talk(warm, [face()] * 4, VOICE), talk(cold, [face()] * 4, VOICE), strict=True
    ):
        np.testing.assert_array_equal(one.array(), other.array())


def test_tensor_frames_come_back_as_tensors():
    mouth = small_mouth()
    pixels = torch.from_numpy(face().pixels)
    painted = talk(mouth, [Frame(0, pixels, face().landmarks)] * 4, VOICE)
    assert isinstance(painted[-1].pixels, torch.Tensor | np.ndarray)
    assert apart(painted[-1], face()).any()


def test_open_needs_a_gpu(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(DeviceError, match="passthrough"):
        MuseTalkMouth.open(tmp_path)


def test_the_released_files_paint_on_the_cpu_too(tmp_path):
    mouth = MuseTalkMouth.open(released(tmp_path), device="cpu")
    for one, other in zip(
        talk(mouth, [face()] * 3, VOICE), talk(small_mouth(), [face()] * 3, VOICE), strict=True
    ):
        np.testing.assert_array_equal(one.array(), other.array())


@pytest.mark.gpu
@pytest.mark.parametrize("compiled", [False, True])
def test_a_captured_frame_is_that_of_the_cpu(compiled):
    """One CUDA graph, compiled or not, against the plain functions on the CPU in float32."""
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    net, speech = (deepcopy(part).to("cuda") for part in networks())
    there = MuseTalkMouth(net, speech, compiled=compiled)
    for one, other in zip(
        talk(there, [face()] * 6, VOICE), talk(small_mouth(), [face()] * 6, VOICE), strict=True
    ):
        step = apart(one, other)
        assert step.max() <= 3
        assert (step > 1).mean() < 1e-3
