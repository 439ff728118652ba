"""Frames in between: the mouth painted last, put where the head is now."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.mouth.small import (  # noqa: E402 - after the skip
    TICKS,
    around,
    face,
    networks,
    small_mouth,
    speech_like,
    stand_in_mouth,
    talk,
)
from tests.mouth.test_musetalk import apart, opened  # noqa: E402
from vcam.media import Frame  # noqa: E402

VOICE = speech_like(3.0)


def in_turn(mouth, frames, every=2, first=0, voice=VOICE):
    """Every second frame painted, the ones in between held."""
    shown = []
    for index, frame in enumerate(frames, start=first):
        dated = Frame(index * TICKS, frame.pixels, frame.landmarks)
        paint = mouth.hold if index % every else mouth.step
        shown.append(paint(dated, around(voice, dated.at, mouth.context)))
    return shown


def turning(count=18):
    """A head that turns by up to 0.6 degrees a frame, and speaks a little on its own."""
    turns = 0.08 * np.sin(2 * np.pi * np.arange(count) / 40)
    jaws = 0.1 - 0.1 * np.cos(2 * np.pi * np.arange(count) / 12)
    return [face(jaw=float(j), turn=float(t)) for j, t in zip(jaws, turns, strict=True)]


def largest_jump(frames, first=8):
    """The largest mean change from a frame to the next, once the mouth has faded in."""
    shown = [frame.array().astype(float) for frame in frames[first:]]
    return max(np.abs(b - a).mean() for a, b in pairwise(shown))


def middle_of_mouth(painted, plain):
    """Where the change lies, pixels."""
    change = apart(painted, plain).max(axis=2).astype(float)
    ys, xs = np.indices(change.shape)
    return np.array([(xs * change).sum(), (ys * change).sum()]) / change.sum()


def test_held_frames_jump_no_more_than_painted_ones():
    frames = turning()
    every = talk(stand_in_mouth(opened), frames, VOICE)
    mouth = stand_in_mouth(opened)
    some = in_turn(mouth, frames)
    assert (mouth.counts.painted, mouth.counts.held) == (8, 8)  # the first two fade in
    assert largest_jump(some) <= 1.05 * largest_jump(every)


def test_the_held_mouth_follows_the_head():
    frames = turning()
    mouth = stand_in_mouth(opened)
    talk(mouth, frames[:1] * 8, VOICE)
    shown = in_turn(mouth, frames, every=100, first=8)
    assert mouth.counts.held == len(frames)
    for painted, plain in zip(shown, frames, strict=True):
        off = middle_of_mouth(painted, plain) - plain.landmarks[60:68].mean(axis=0)
        assert np.abs(off).max() < 6


def test_it_needs_none_of_the_networks():
    mouth = small_mouth()
    talk(mouth, [face()] * 6, VOICE)
    for part in ("encode", "inpaint", "decode"):
        setattr(mouth._inpainter, part, None)
    mouth._inpainter.listener.forward = None
    at = 6 * TICKS
    held = mouth.hold(Frame(at, face().pixels, face().landmarks), around(VOICE, at, mouth.context))
    assert apart(held, face()).any()
    assert held.at == at


def test_nothing_to_hold_gives_the_frame_and_the_mouth_fades_in_afterwards():
    held_first, painted_only = stand_in_mouth(opened), stand_in_mouth(opened)
    shown = in_turn(held_first, [face()] * 12, every=2, first=1)
    assert shown[0].pixels is face().pixels
    amounts = [apart(frame, face()).sum() for frame in shown]
    wanted = [apart(f, face()).sum() for f in talk(painted_only, [face()] * 12, VOICE, first=1)]
    assert max(np.diff(amounts)) <= 1.01 * max(np.diff(wanted))  # no flash where it begins
    assert amounts[-1] == pytest.approx(wanted[-1], rel=0.02)


@pytest.mark.parametrize("lost", [None, np.full((68, 2), np.nan, np.float32)])
def test_a_lost_face_is_not_held(lost):
    mouth = stand_in_mouth(opened)
    talk(mouth, [face()] * 8, VOICE)
    gone, back = in_turn(mouth, [replace(face(), landmarks=lost), face()], every=100, first=9)
    assert gone.pixels is back.pixels is face().pixels
    assert mouth.counts.no_face == 1


def test_silence_is_not_held():
    voice = np.concatenate([VOICE[:48_000], np.zeros(96_000, np.float32)])
    mouth = stand_in_mouth(opened)
    shown = in_turn(mouth, [face()] * 45, voice=voice)
    amounts = np.array([apart(frame, face()).sum() for frame in shown])
    assert amounts[12] > 0
    assert not amounts[35:].any()
    assert all(frame.pixels is face().pixels for frame in shown[35:])
    fading = np.flatnonzero(np.diff(amounts) < 0)
    assert len(fading) >= 3  # it fades, it does not vanish


def test_an_overflow_is_held_as_the_plain_frame_and_counted():
    mouth = stand_in_mouth(lambda crop: crop / 0.0)
    shown = in_turn(mouth, [face()] * 8)
    assert not any(apart(frame, face()).any() for frame in shown)
    assert mouth.overflowed == mouth.counts.painted + mouth.counts.held


def test_what_is_heard_while_holding_is_not_lost():
    some, every = small_mouth(), small_mouth()
    in_turn(some, [face()] * 9, every=4)
    talk(every, [face()] * 9, VOICE)
    at = 8 * TICKS
    torch.testing.assert_close(some._speech.window(at), every._speech.window(at), rtol=0, atol=0)


@pytest.mark.gpu
@pytest.mark.parametrize("compiled", [False, True])
def test_a_captured_hold_is_that_of_the_cpu(compiled):
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    from copy import deepcopy

    from vcam.mouth.musetalk.painter import MuseTalkMouth

    net, speech = (deepcopy(part).to("cuda") for part in networks())
    there = MuseTalkMouth(net, speech, compiled=compiled)
    for one, other in zip(
        in_turn(there, turning(12)), in_turn(small_mouth(), turning(12)), strict=True
    ):
        step = apart(one, other)
        assert step.max() <= 3
        assert (step > 1).mean() < 1e-3
