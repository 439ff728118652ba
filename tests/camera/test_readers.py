"""Counting readers where there is no loopback camera; tests/device counts real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.platforms import not_on_windows
from vcam.camera import readers as module
from vcam.camera.readers import readers

pytestmark = not_on_windows("the camera's driver is Linux's")


@pytest.fixture
def camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in place of the only loopback camera of an old driver, which three have open."""
    folder = tmp_path / "cameras" / "video10"
    folder.mkdir(parents=True)
    (folder / module.MARK).write_text("10\n")
    (tmp_path / "refcnt").write_text("3\n")
    monkeypatch.setattr(module, "CAMERAS", tmp_path / "cameras")
    monkeypatch.setattr(module, "REFERENCES", tmp_path / "refcnt")
    path = tmp_path / "video10"
    path.write_bytes(b"")
    return path


def test_our_own_descriptors_are_no_readers(camera: Path) -> None:
    assert readers(camera) == 3
    with camera.open("wb"):
        assert readers(camera) == 2
        (camera.parent / "link").symlink_to(camera)
        assert readers(camera.parent / "link") == 2
    with camera.open("wb"), camera.open("rb"), camera.open("rb"), camera.open("rb"):
        assert readers(camera) == 0  # never less


def test_two_cameras_cannot_be_told_apart(camera: Path) -> None:
    other = module.CAMERAS / "video11"
    other.mkdir()
    assert readers(camera) == 3  # a virtual camera of another driver
    (other / module.MARK).write_text("10\n")
    assert readers(camera) is None


def test_what_cannot_be_known_is_none(camera: Path) -> None:
    module.REFERENCES.write_text("?")
    assert readers(camera) is None
    module.REFERENCES.unlink()
    assert readers(camera) is None
    camera.unlink()
    assert readers(camera) is None
