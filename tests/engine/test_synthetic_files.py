"""Made-up networks in files: what they hold, and when they are written."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from tests.platforms import has_mode  # noqa: E402
from vcam.engine import networks, synthetic, synthetic_files  # noqa: E402 - after the skip
from vcam.engine.synthetic import Synthetic  # noqa: E402
from vcam.errors import ConfigError  # noqa: E402
from vcam.flame.model import FlameModel  # noqa: E402
from vcam.nets.artalk import ArtalkNet  # noqa: E402
from vcam.nets.gagavatar import GagavatarConfig, GagavatarNet  # noqa: E402
from vcam.nets.musetalk import load_inpainter, load_speech  # noqa: E402
from vcam.tensors.tensorfile import read_header  # noqa: E402
from vcam.weights import manifest  # noqa: E402 - after the skip

SMALL = Synthetic(small=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VCAM_CACHE", str(cache))
        yield synthetic_files.kept(SMALL)


@pytest.fixture(autouse=True)
def cache(root, monkeypatch):
    monkeypatch.setenv("VCAM_CACHE", str(root.parents[1]))


def assert_same(ours, theirs, half=False):
    own, other = ours.state_dict(), theirs.state_dict()
    assert own.keys() == other.keys()
    for name, value in own.items():
        wanted = other[name].half() if half else other[name]
        torch.testing.assert_close(value, wanted, rtol=0, atol=0, msg=name)


def test_every_file_of_a_pull_but_the_optional_ones_is_there(root):
    models = manifest.chosen([], manifest.manifest())
    wanted = {asset.to for model in models for asset in model.files}
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    absent = {"artalk/config.json", "artalk/style_motion/natural_0.safetensors"}
    assert found == wanted - absent - {"whisper-tiny/preprocessor_config.json"}  # nobody reads them
    assert has_mode(root.parent, 0o700)


def test_they_load_as_released_files_and_are_what_would_be_computed(root, monkeypatch):
    path = root / "artalk/ARTalk_wav2vec.safetensors"
    assert_same(ArtalkNet.load(path, config=synthetic._SMALL_ARTALK), SMALL.artalk())
    points = len(SMALL.flame().template)
    path = root / "gagavatar/GAGAvatar.safetensors"
    assert_same(GagavatarNet.load(path, GagavatarConfig.small(points)), SMALL.gagavatar())


def test_the_mouth_is_kept_in_half_precision_as_released_ones_are(root):
    inpainter, speech = SMALL.musetalk()
    assert_same(load_speech(root), speech, half=True)
    assert_same(load_inpainter(root).coder, inpainter.coder, half=True)
    ours, wanted = (net.unet.state_dict() for net in (load_inpainter(root), inpainter))
    for name, value in ours.items():  # the time step is folded into what was rounded before
        assert value.dtype == torch.float16
        torch.testing.assert_close(value.float(), wanted[name], rtol=1e-3, atol=1e-3, msg=name)


def test_the_head_is_the_same(root):
    got, wanted = FlameModel.load(root / "flame/FLAME_with_eye.safetensors"), SMALL.flame()
    assert got.parents == wanted.parents
    for name in ("template", "shape_basis", "expression_basis", "pose_basis", "weights"):
        ours, theirs = getattr(got, name), getattr(wanted, name)  # LAPACK rounds by where data lies
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-12, msg=name)
    for name in got.landmarks.__slots__:
        assert torch.equal(getattr(got.landmarks, name), getattr(wanted.landmarks, name)), name


def test_they_are_written_once_and_named_by_what_they_hold(root, monkeypatch):
    said: list[str] = []
    assert synthetic_files.kept(SMALL, said.append) == root
    assert not said
    other = synthetic_files._digest(Synthetic(small=True, seed=8))
    assert other != root.name != synthetic_files._digest(Synthetic())


def test_what_is_out_of_date_makes_room_and_says_so(root, tmp_path, monkeypatch):
    monkeypatch.setenv("VCAM_CACHE", str(tmp_path))
    for name in ("of older sources", "partial"):
        (tmp_path / "synthetic" / name).mkdir(parents=True)
    said: list[str] = []
    monkeypatch.setattr(synthetic_files, "_write", lambda made, part: shutil.copytree(root, part))
    folder = synthetic_files.kept(SMALL, said.append)
    assert "5 GB" in said[0]
    assert {each.name for each in folder.parent.iterdir()} == {folder.name, "lock"}


def test_of_two_processes_one_writes(root, tmp_path, monkeypatch):
    """The second waits, and finds what the first has written."""
    monkeypatch.setenv("VCAM_CACHE", str(tmp_path))
    writing, written = threading.Event(), []

    def write(made, part):
        writing.set()
        time.sleep(0.2)
        written.append(shutil.copytree(root, part))

    monkeypatch.setattr(synthetic_files, "_write", write)
    with ThreadPoolExecutor(2) as both:
        first = both.submit(synthetic_files.kept, SMALL)
        assert writing.wait(5)
        second = both.submit(synthetic_files.kept, SMALL)
        assert first.result(5) == second.result(5)
    assert len(written) == 1


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("VCAM_CACHE", str(tmp_path))
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 30)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ConfigError, match=r"need 5 GB, there are 1\.0 .*VCAM_CACHE"):
        synthetic_files.kept(Synthetic())
    assert [each.name for each in (tmp_path / "synthetic").iterdir()] == ["lock"]


def test_a_failed_writing_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("VCAM_CACHE", str(tmp_path))

    def fail(made, part):
        part.mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(synthetic_files, "_write", fail)
    with pytest.raises(ConfigError, match="No space left"):
        synthetic_files.kept(SMALL)
    assert [each.name for each in (tmp_path / "synthetic").iterdir()] == ["lock"]


def test_the_made_up_person_is_kept_beside_them(root, monkeypatch):
    source = networks.source("synthetic")
    monkeypatch.setattr(source, "_locate", lambda: root)
    person = source.person(None)
    assert person.cache is not None
    assert person.cache.parent == root
    assert source.path("artalk") == root / "artalk/ARTalk_wav2vec.safetensors"
    assert source.style() is None
    assert read_header(source.path("flame"))["flame_model.f"].dtype == "I64"
