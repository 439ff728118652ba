"""What has been compiled is read again, says the same, and is not mistaken for something else."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from torch import Tensor, nn  # noqa: E402 - after the skip

from vcam.gpu import compiled  # noqa: E402 - after the skip
from vcam.gpu.compile_cache import CompileCached  # noqa: E402 - after the skip

TIMES = 3


class Net(nn.Module):
    """Something with weights, a buffer, and a method besides `forward`."""

    def __init__(self, gain: float = 2.0) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.register_buffer("shift", torch.arange(8.0))
        self.shift: Tensor
        self.gain = gain

    def pair(self, x: Tensor, y: Tensor | None, times: int) -> tuple[Tensor, Tensor]:
        """Two results, the second of which may be an argument."""
        out = self.linear(x).relu() * self.gain * times + self.shift
        return out, x if y is None else y

    def forward(self, x: Tensor) -> Tensor:
        """One result."""
        return self.pair(x, None, 1)[0]


class Own(nn.Module):
    """Uses a tensor that is neither an argument nor registered."""

    def __init__(self) -> None:
        super().__init__()
        self.table = [torch.ones(8)]

    def forward(self, x: Tensor) -> Tensor:
        """One result."""
        return x + self.table[0]


def cxx() -> str | None:
    """The C++ compiler that torch would use."""
    return next(filter(None, map(shutil.which, (os.environ.get("CXX", "g++"), "g++"))), None)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VCAM_CACHE", str(tmp_path / "cache"))
    for variable in compiled.FOLDERS:
        monkeypatch.setenv(variable, "before")
    compiled.use()
    return compiled.folder()


@pytest.fixture
def net():
    torch.manual_seed(1)
    return Net().eval().requires_grad_(False)


def files(cache) -> list[str]:
    return sorted(path.name for path in cache.glob("*.kept"))


@pytest.mark.slow  # it compiles C++
@pytest.mark.skipif(cxx() is None, reason="no C compiler here, for C++")
@torch.inference_mode()
def test_a_second_one_reads_what_the_first_has_compiled(cache, net, monkeypatch):
    x, y = torch.randn(4, 8), torch.randn(3)
    first = CompileCached(net.pair, net)(x, y, TIMES)
    assert len(files(cache)) == 1
    monkeypatch.setattr(CompileCached, "_compiled", lambda *given: pytest.fail("compiled again"))
    second = CompileCached(net.pair, net)
    for each in (first, second(x, y, TIMES)):
        torch.testing.assert_close(each, net.pair(x, y, TIMES))
        assert each[1].data_ptr() != y.data_ptr()
    net.linear.weight.mul_(-1)  # weights are looked up at each call
    torch.testing.assert_close(second(x, y, TIMES), net.pair(x, y, TIMES))


@torch.inference_mode()
def test_another_kind_of_call_is_another_file(cache, net, monkeypatch):
    names: set[str] = set()
    x, other = torch.randn(4, 8), Net(gain=3.0)

    def name(kept, *args) -> None:
        monkeypatch.setattr(kept, "_prepared", lambda kind, given: names.add(kept._name(kind)))
        with pytest.raises(TypeError):  # nothing was prepared
            kept(*args)

    pair = lambda **about: CompileCached(net.pair, net, **about)  # noqa: E731 - shorter
    name(pair(), x, None, 1)
    name(pair(), x, x, 1)
    name(pair(), x, None, 2)
    name(pair(), x[:3], None, 1)
    name(pair(), x.T.contiguous().T, None, 1)
    name(pair(), x.double(), None, 1)
    name(pair(about="3.0"), x, None, 1)
    name(CompileCached(other.forward, other), x)
    assert len(names) == 8
    monkeypatch.setattr(compiled, "_sources", lambda: "changed")
    name(pair(), x, None, 1)
    assert len(names) == 9


@torch.inference_mode()
def test_what_cannot_be_kept_is_compiled_as_usual(cache, monkeypatch, caplog):
    own, usual = Own(), []
    monkeypatch.setattr(
        torch, "compile", lambda function, dynamic: usual.append(dynamic) or function
    )
    with caplog.at_level(logging.WARNING):
        kept = CompileCached(own.forward, own)
        assert kept(torch.zeros(2, 8)).eq(1).all()
        kept(torch.zeros(2, 8))
    assert (usual, files(cache)) == ([False], [])
    assert "Own.forward is not kept" in caplog.text


def test_a_process_that_shall_not_compile_runs_the_function_itself(tmp_path):
    program = """
import torch  # noqa: E402 - after the skip
from vcam.gpu import compiled  # noqa: E402 - after the skip
from vcam.gpu.compile_cache import CompileCached  # noqa: E402 - after the skip
compiled.eagerly()
def twice(x: torch.Tensor) -> torch.Tensor:
    return 2 * x
assert CompileCached(twice)(torch.ones(2)).eq(2).all()
assert not compiled.folder().exists() or not any(compiled.folder().iterdir())
"""
    environment = {"VCAM_CACHE": str(tmp_path / "cache"), "PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, timeout=120)


@torch.inference_mode()
def test_a_damaged_file_is_compiled_anew(cache, net, monkeypatch, caplog):
    kept, x = CompileCached(net.forward, net), torch.randn(4, 8)
    monkeypatch.setattr(kept, "_name", lambda kind: "damaged")
    (cache / "damaged.kept").write_bytes(b"nothing of worth")
    monkeypatch.setattr(kept, "_compiled", lambda path, args: lambda *given: [net(given[-1])])
    torch.testing.assert_close(kept(x), net(x))
    assert "Net.forward is not kept" in caplog.text
