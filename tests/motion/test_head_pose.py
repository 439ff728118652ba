from __future__ import annotations

import numpy as np
import pytest

from vcam.errors import ConfigError
from vcam.motion.artalk.sliding import TalkSettings
from vcam.motion.head_pose import FaceBasis, HeadPose, face_basis

FRAME = 1920


@pytest.fixture
def head():
    """A face whose expression 7 shuts the lids (and stirs a brow), and 0..4 move the lips."""
    rng = np.random.default_rng(2)
    landmarks = rng.normal(0, 0.05, (68, 3)).astype(np.float32)
    landmarks[[37, 38, 43, 44], 1] = 0.01
    landmarks[[41, 40, 47, 46], 1] = 0.0
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        landmarks[upper, [0, 2]] = landmarks[lower, [0, 2]]
    follow = np.zeros((68, 3, 100), np.float32)
    follow[[37, 38, 43, 44], 1, 7] = -0.004
    follow[20, 1, 7] = 0.0005
    follow[48:68, :, :5] = rng.normal(0, 0.01, (20, 3, 5))
    follow[[37, 38, 43, 44], 1, 2] = -0.001  # a lip direction that tugs at the lids
    return landmarks, follow


def test_the_blink_shuts_the_lids_and_leaves_the_lips(head):
    landmarks, follow = head
    basis = face_basis(landmarks, follow)
    moved = landmarks + follow @ basis.blink
    gap = (moved[[37, 38, 43, 44]] - moved[[41, 40, 47, 46]])[:, 1]
    assert np.abs(gap).max() < 0.002  # of 0.01 open
    assert np.abs(follow[48:68] @ basis.blink).max() < 0.003


def test_the_mouth_holds_the_lips_and_not_the_blink(head):
    basis = face_basis(*head)
    np.testing.assert_allclose(basis.mouth @ basis.mouth.T, np.eye(len(basis.mouth)), atol=1e-5)
    assert np.abs(basis.mouth @ basis.blink).max() < 1e-5
    spoken = np.zeros(100, np.float32)
    spoken[:5] = 1
    left = spoken - (basis.mouth @ spoken) @ basis.mouth
    lips = head[1][48:68]
    assert np.linalg.norm(lips @ left) < 0.3 * np.linalg.norm(lips @ spoken)


def test_a_basis_survives_the_disk_and_a_wrong_one_is_refused(tmp_path, head):
    basis = face_basis(*head)
    basis.write(tmp_path / "face.npz")
    again = FaceBasis.read(tmp_path / "face.npz")
    np.testing.assert_array_equal(again.blink, basis.blink)
    np.testing.assert_array_equal(again.mouth, basis.mouth)
    np.savez(tmp_path / "odd.npz", blink=np.zeros(99), mouth=np.zeros((3, 100)))
    with pytest.raises(ConfigError, match="do not fit"):
        FaceBasis.read(tmp_path / "odd.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ConfigError, match="enroll the profile again"):
        FaceBasis.read(tmp_path / "text.npz")


def test_the_head_keeps_within_its_limit_and_small_turns_are_kept():
    head_pose = HeadPose(TalkSettings(head_limit=0.5), 0)
    frame = np.zeros(106, np.float32)
    frame[100:103] = 0.05, -3.0, 0.4
    head = head_pose.step(0, frame, 0.0).head
    assert head[0] == pytest.approx(0.05, rel=0.01)
    assert -0.5 <= head[1] < -0.49
    assert 0.3 < head[2] < 0.4
    strong = HeadPose(TalkSettings(head_gain=2.0, head_limit=0.5), 0).step(0, frame, 0.0).head
    assert strong[0] == pytest.approx(0.1, rel=0.02)


def test_rest_comes_after_a_second_of_silence_and_leaves_with_the_voice():
    head_pose = HeadPose(TalkSettings(), 0)
    frame = np.ones(106, np.float32)
    jaws = [head_pose.step(n * FRAME, frame, n / 25).face.jaw[0] for n in range(60)]
    assert jaws[24] == 1
    assert 0 < jaws[28] < 1
    assert jaws[25 + 8] == 0
    woken = [head_pose.step(n * FRAME, frame, 0.0).face.jaw[0] for n in range(60, 63)]
    assert woken[-1] == 1


def test_lids_are_not_frozen_by_the_resting_mouth(head):
    """What is no mouth goes on moving in silence."""
    basis = face_basis(*head)
    head_pose = HeadPose(TalkSettings(blinks=False), 0, basis)
    lids = basis.blink / np.linalg.norm(basis.blink)
    for n in range(60):
        frame = np.zeros(106, np.float32)
        frame[:100] = np.sin(n) * lids + basis.mouth[0]
        face = head_pose.step(n * FRAME, frame, 10.0).face
    assert face.expression @ lids == pytest.approx(np.sin(59), abs=1e-4)
    assert abs(face.expression @ basis.mouth[0]) < 1e-5


def test_blinks_in_silence_come_about_seventeen_times_a_minute(head):
    basis = face_basis(*head)
    head_pose, unit = HeadPose(TalkSettings(), 4, basis), basis.blink / (basis.blink @ basis.blink)
    shut = [
        head_pose.step(n * FRAME, np.zeros(106, np.float32), 10.0).face.expression @ unit > 0.5
        for n in range(25 * 60 * 4)
    ]
    rate = np.sum(np.diff(np.array(shut).astype(int)) == 1) / 4
    assert 11 <= rate <= 23
    awake = HeadPose(TalkSettings(), 4, basis)
    for n in range(500):
        assert not awake.step(n * FRAME, np.zeros(106, np.float32), 0.0).face.expression.any()
