"""The cache of compiled kernels: whose it is, and what its stamps say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.platforms import has_mode
from vcam.errors import ConfigError
from vcam.gpu import compiled


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VCAM_CACHE", str(tmp_path / "cache"))
    for name in compiled.FOLDERS:
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


def test_the_folder_is_closed_to_others(cache):
    cache.mkdir(mode=0o755)
    (cache / "compiled").mkdir(mode=0o777)
    assert compiled.folder() == cache / "compiled"
    assert has_mode((cache / "compiled"), 0o700)


def test_a_folder_that_is_a_link_is_refused(cache, tmp_path):
    cache.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (cache / "compiled").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        compiled.folder()


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0,
    reason="no GPU needed, but only root can give files away",
)
def test_a_folder_of_another_user_is_refused(cache):
    (cache / "compiled").mkdir(parents=True)
    os.chown(cache / "compiled", 12345, 12345)
    with pytest.raises(ConfigError, match="VCAM_CACHE"):
        compiled.folder()


def test_torch_and_triton_keep_their_kernels_there(cache):
    compiled.use()
    for variable in compiled.FOLDERS:
        path = os.environ[variable]
        assert path.startswith(str(cache / "compiled"))
        assert has_mode(Path(path), 0o700)


def test_cublas_is_given_little_room_unless_somebody_asked_for_more(cache, monkeypatch):
    name, little = compiled.WORKSPACE
    monkeypatch.delenv(name, raising=False)
    compiled.use()
    assert os.environ[name] == little
    monkeypatch.setenv(name, ":4096:8")
    compiled.use()
    assert os.environ[name] == ":4096:8"


def test_torch_compiles_into_it(cache):
    """In a process of its own, because torch reads the variable once."""
    code = (
        "from vcam.gpu import compiled; compiled.use(); import torch;"
        "from torch._inductor.runtime.cache_dir_utils import cache_dir; print(cache_dir())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(cache / "compiled" / "inductor")


def test_a_stamp_is_for_one_set_up(cache):
    assert not compiled.built("artalk full")
    compiled.mark("artalk full", seconds=25.0)
    assert compiled.built("artalk full")
    assert not compiled.built("artalk small")
    (stamp,) = (cache / "compiled").glob("*.json")
    assert '"seconds": 25.0' in stamp.read_text()


def test_other_sources_or_another_torch_make_it_void(cache, monkeypatch):
    compiled.mark("artalk full")
    with monkeypatch.context() as other:
        other.setattr(compiled, "_sources", lambda: "other")
        assert not compiled.built("artalk full")
    with monkeypatch.context() as other:
        other.setattr(compiled.metadata, "version", lambda name: "9.9")
        assert not compiled.built("artalk full")
    assert compiled.built("artalk full")


def test_an_eager_process_compiles_nothing():
    code = """
from vcam.gpu import compiled
compiled.eagerly()
import torch
from torch._dynamo.utils import counters
net = torch.compile(torch.nn.Linear(2, 2), dynamic=False)
double = torch.compile(lambda x: 2 * x)
assert double(net(torch.ones(1, 2))).shape == (1, 2)
print(sum(counters["stats"].values()), sum(counters["frames"].values()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0"]
