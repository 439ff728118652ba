import sys
from types import SimpleNamespace

import pytest

from vcam import gpu

GIB = 2**30


@pytest.fixture
def torch(monkeypatch):
    """A torch that has used the GPU."""
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        current_device=lambda: 0,
        memory_reserved=lambda: int(2.3 * GIB),
        memory_allocated=lambda: int(2.1 * GIB),
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    return cuda


def nvml(monkeypatch, found):
    monkeypatch.setattr(gpu, "_nvml", lambda: found)


def test_a_process_without_torch_says_nothing(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert gpu.describe() == ""


def test_a_process_that_has_not_touched_the_gpu_says_nothing(torch):
    torch.is_initialized = lambda: False
    assert gpu.describe() == ""


def test_memory_and_load_are_told(torch, monkeypatch):
    found = SimpleNamespace(
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMemoryInfo=lambda device: SimpleNamespace(used=7 * GIB, total=139 * GIB),
        nvmlDeviceGetUtilizationRates=lambda device: SimpleNamespace(gpu=42),
    )
    nvml(monkeypatch, found)
    assert gpu.describe() == "2.3 GiB here, 7.0 of 139 GiB in use, 42 % busy"


def test_without_nvml_the_memory_is_told(torch, monkeypatch):
    nvml(monkeypatch, None)
    assert gpu.describe().startswith("2.1 GiB here")
