"""The embedded avatar: shapes, determinism, and that features move where they should."""

from __future__ import annotations

import time

import numpy as np
import pytest

from vcam.arkit import INDEX, NAMES
from vcam.media import BlendshapeFace, FloatArray, Frame, Image, Motion
from vcam.render.head3d import LOOKS, Head3dRenderer

SIZE = 256


def motion(head: tuple[float, float, float] = (0, 0, 0), at: int = 0, **weights: float) -> Motion:
    """A motion with named weights; a name without its side means both."""
    face = np.zeros(52, np.float32)
    for name, value in weights.items():
        for full in (name, f"{name}Left", f"{name}Right"):
            if full in INDEX:
                face[INDEX[full]] = value
    return Motion(at, np.array(head, np.float32), BlendshapeFace(face))


@pytest.fixture(scope="module")
def renderer() -> Head3dRenderer:
    return Head3dRenderer(SIZE)


def pixels(frame: Frame) -> Image:
    assert isinstance(frame.pixels, np.ndarray)
    return frame.pixels


def marks(frame: Frame) -> FloatArray:
    assert frame.landmarks is not None
    return frame.landmarks


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_frame_has_the_promised_shape(size: int) -> None:
    frame = Head3dRenderer(size).step(motion(at=77))
    assert frame.at == 77
    assert pixels(frame).shape == (size, size, 3)
    assert pixels(frame).dtype == np.uint8
    assert marks(frame).shape == (68, 2)
    assert marks(frame).dtype == np.float32


def test_a_frame_depends_on_its_motion_alone(renderer: Head3dRenderer) -> None:
    wanted = renderer.step(motion((0.1, 0.2, 0), at=4800, jawOpen=0.5))
    renderer.step(motion((-0.2, 0, 0), eyeBlink=1.0))
    again = renderer.step(motion((0.1, 0.2, 0), at=4800, jawOpen=0.5))
    other = Head3dRenderer(SIZE).step(motion((0.1, 0.2, 0), at=4800, jawOpen=0.5))
    np.testing.assert_array_equal(pixels(again), pixels(wanted))
    np.testing.assert_array_equal(pixels(other), pixels(wanted))
    np.testing.assert_array_equal(marks(again), marks(wanted))


@pytest.mark.parametrize("name", NAMES)
def test_every_shape_changes_the_picture(renderer: Head3dRenderer, name: str) -> None:
    # A tongue is seen only through an open mouth.
    rest = {"jawOpen": 0.5} if name == "tongueOut" else {}
    before = pixels(renderer.step(motion(**rest))).astype(int)
    after = pixels(renderer.step(motion(**rest, **{name: 1.0}))).astype(int)
    assert (np.abs(after - before).max(2) > 20).sum() >= 8


def test_mouth_landmarks_follow_the_jaw(renderer: Head3dRenderer) -> None:
    shut = marks(renderer.step(motion()))
    wide = marks(renderer.step(motion(jawOpen=0.8)))
    gap = lambda points: points[66, 1] - points[62, 1]
    assert gap(shut) < 0.015 * SIZE
    assert gap(wide) > 0.06 * SIZE
    assert wide[8, 1] > shut[8, 1] + 0.03 * SIZE  # the chin drops


def test_eye_landmarks_close_in_a_blink(renderer: Head3dRenderer) -> None:
    gap = lambda points: (points[[41, 40, 47, 46], 1] - points[[37, 38, 43, 44], 1]).mean()
    opened = gap(marks(renderer.step(motion())))
    closed = gap(marks(renderer.step(motion(eyeBlink=1.0))))
    assert opened > 0.03 * SIZE
    assert abs(closed) < 0.1 * opened


def test_head_turns_to_where_the_convention_says(renderer: Head3dRenderer) -> None:
    rest = marks(renderer.step(motion()))[30]
    assert marks(renderer.step(motion((0, 0.3, 0))))[30, 0] > rest[0] + 0.03 * SIZE
    assert marks(renderer.step(motion((0.15, 0, 0))))[30, 1] > rest[1] + 0.01 * SIZE


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf, 1e9, -1e9])
def test_broken_input_still_gives_a_picture(renderer: Head3dRenderer, broken: float) -> None:
    face = BlendshapeFace(np.full(52, broken, np.float32))
    frame = renderer.step(Motion(0, np.full(3, broken, np.float32), face))
    assert np.isfinite(marks(frame)).all()
    assert pixels(frame).std() > 10


def test_not_a_number_is_neutral(renderer: Head3dRenderer) -> None:
    face = BlendshapeFace(np.full(52, np.nan, np.float32))
    frame = renderer.step(Motion(0, np.full(3, np.nan, np.float32), face))
    np.testing.assert_array_equal(pixels(frame), pixels(renderer.step(motion())))


def test_background_stays_still(renderer: Head3dRenderer) -> None:
    corners = [
        pixels(renderer.step(motion((0, turn, 0), at=at, jawOpen=turn + 0.5)))[:40, :40]
        for turn, at in ((-0.4, 0), (0.0, 48_000), (0.4, 96_000))
    ]
    np.testing.assert_array_equal(corners[0], corners[1])
    np.testing.assert_array_equal(corners[0], corners[2])


def test_it_breathes(renderer: Head3dRenderer) -> None:
    still, later = (pixels(renderer.step(motion(at=at))).astype(int) for at in (0, 48_000))
    assert np.abs(still - later).max() > 10


def test_looks_differ() -> None:
    pictures = [pixels(Head3dRenderer(128, look).step(motion())) for look in LOOKS.values()]
    for number, one in enumerate(pictures):
        for other in pictures[number + 1 :]:
            assert np.abs(one.astype(int) - other).mean() > 10


def test_cost_stays_in_bounds(renderer: Head3dRenderer) -> None:
    """A frame costs at most a few times of what copying its pixels around 200 times does."""
    posed = motion((0, 0.1, 0), jawOpen=0.3)
    renderer.step(posed)
    start = time.process_time()
    for _ in range(10):
        renderer.step(posed)
    assert (time.process_time() - start) / 10 < 0.1
