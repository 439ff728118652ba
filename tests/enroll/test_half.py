# ruff: noqa: E402 - imports follow the skip
"""Half precision where a GPU uses it, on the CPU: the picture stays the same, over 55 dB."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from tests.enroll import talker_files
from tests.parity import flash_synth
from vcam.enroll.own_avatar import flashavatar, gaussiantalker
from vcam.enroll.own_avatar.found import look
from vcam.media import FloatArray
from vcam.render.avatars import identity
from vcam.render.avatars.renderer import AvatarRenderer
from vcam.render.gagavatar.pose_limits import ROW
from vcam.render.gaussiantalker import poses
from vcam.render.gaussiantalker.identity import FILE, TalkerIdentity
from vcam.render.gaussiantalker.renderer import PaintStep

GIVEN = Path(__file__).parents[1] / "data" / "parity" / "identities"
CPU = torch.device("cpu")


def decibels(one: FloatArray, other: FloatArray) -> float:
    """Peak signal to noise of pictures of bytes."""
    off = np.square(one.astype(np.float64) - other).mean()
    return float(10 * np.log10(255**2 / max(off, 1e-9)))


def test_flashavatars_network(tmp_path):
    flash_synth.write_assets(tmp_path, 1)
    found = look([GIVEN / "flashavatar", GIVEN / "tracker", tmp_path])
    checkpoint = found.newest(flashavatar.CHECKPOINT)
    assert checkpoint is not None
    state = flashavatar.make(found, checkpoint).identity
    row = np.random.default_rng(1).normal(size=ROW).astype(np.float32)
    row[100:] *= 0.1
    shown = []
    for half in (False, True):
        rig = identity.build(state, "flashavatar")
        if half:
            rig.halve()
        shown.append(AvatarRenderer(rig, None, 96, CPU).draw(row)[0].numpy().copy())
    assert decibels(*shown) > 55


def test_what_a_talker_computes_for_every_point(tmp_path, monkeypatch):
    monkeypatch.setenv("VCAM_MODELS", str(tmp_path / "models"))
    gaussiantalker.bring(look([talker_files.write(tmp_path / "given")]), tmp_path)
    person = TalkerIdentity.load(tmp_path / FILE)
    channels = person.net.config.channels
    windows = torch.randn(8, channels, 16, generator=torch.Generator().manual_seed(1))
    view = poses.views(person.recording.euler[:1], person.recording.translation[:1])[0]
    behind = person.room.float()
    shown = []
    for half in (False, True):
        with torch.inference_mode():
            paint = PaintStep(person, copy.deepcopy(person.net), CPU, "exact", half)
            openness = torch.tensor(0.2, dtype=torch.float64)
            shown.append(paint(windows, openness, view, behind).numpy().copy())
    assert len(np.unique(shown[0])) > 20
    assert decibels(*shown) > 55
