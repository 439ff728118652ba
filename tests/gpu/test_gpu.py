import subprocess
import sys
from types import SimpleNamespace

import pytest

from vcam.gpu import device as gpu
from vcam.monitor.stats import GpuStatus

GIB = 2**30
MIB = 2**20


class NvmlError(Exception):
    """What NVML raises where a device has no answer."""


def refuse(*arguments):
    raise NvmlError("not supported")


class DeviceFull(RuntimeError):
    """As torch.OutOfMemoryError."""


@pytest.fixture
def torch(monkeypatch):
    """A torch that has used the second GPU of this machine."""
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        current_device=lambda: 0,
        memory_reserved=lambda: 2300 * MIB,
        get_device_properties=lambda index: SimpleNamespace(uuid="1-2-3"),
        synchronize=lambda: None,
        empty_cache=lambda: cuda.given_back.append(True),
        given_back=[],
    )
    module = SimpleNamespace(cuda=cuda, OutOfMemoryError=DeviceFull)
    monkeypatch.setitem(sys.modules, "torch", module)
    return module


@pytest.fixture
def nvml(monkeypatch):
    found = SimpleNamespace(
        NVMLError=NvmlError,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: ["GPU-0-0-0", "GPU-1-2-3"][index],
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid.decode(),
        nvmlDeviceGetMemoryInfo=lambda device: SimpleNamespace(used=7 * GIB, total=139 * GIB),
        nvmlDeviceGetUtilizationRates=lambda device: SimpleNamespace(
            gpu={"GPU-1-2-3": 42, "GPU-0-0-0": 7}[device]
        ),
        nvmlDeviceGetName=lambda device: b"NVIDIA L4",  # text since nvidia-ml-py 11.5
        nvmlDeviceGetTemperature=lambda device, sensor: 61,
        nvmlDeviceGetCurrentClocksEventReasons=lambda device: 0,
    )
    monkeypatch.setattr(gpu, "_nvml", lambda: found)
    return found


def test_a_process_without_torch_has_no_gpu(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert gpu.status({}) is None
    assert gpu.taken_mib() == 0.0


def test_a_process_that_has_not_touched_the_gpu_has_none(torch):
    torch.cuda.is_initialized = lambda: False
    assert gpu.status({}) is None


def test_memory_load_and_heat_are_told_of_the_device_that_torch_uses(torch, nvml):
    now = gpu.status({"mouth": 2250.0})
    known = (7 * 1024, 139 * 1024, 0.42, 61.0, "", "NVIDIA L4")
    assert now == GpuStatus(2300, {"mouth": 2250.0}, *known)


def test_all_gpus_of_a_machine_are_named(nvml, monkeypatch):
    assert gpu.names() == "2 x NVIDIA L4"
    nvml.nvmlDeviceGetName = lambda device: {"GPU-0-0-0": "A", "GPU-1-2-3": "B"}[device]
    assert gpu.names() == "A, B"
    nvml.nvmlDeviceGetName = refuse
    assert gpu.names() == ""
    monkeypatch.setattr(gpu, "_nvml", lambda: None)
    assert gpu.names() == ""


@pytest.mark.parametrize(
    ("bits", "told"),
    [(0x1, ""), (0x20, "heat"), (0x40, "heat"), (0x4, "power"), (0x88, "power, hardware")],
)
def test_clocks_that_are_held_down_are_told_with_their_reason(torch, nvml, bits, told):
    nvml.nvmlDeviceGetCurrentClocksEventReasons = lambda device: bits
    assert gpu.status({}).slowed == told


def test_older_drivers_call_it_throttling(torch, nvml):
    del nvml.nvmlDeviceGetCurrentClocksEventReasons
    nvml.nvmlDeviceGetCurrentClocksThrottleReasons = lambda device: 0x40
    assert gpu.status({}).slowed == "heat"


def test_what_a_device_does_not_tell_is_left_out(torch, nvml):
    for name in (
        "MemoryInfo",
        "UtilizationRates",
        "Temperature",
        "CurrentClocksEventReasons",
        "Name",
    ):
        setattr(nvml, f"nvmlDeviceGet{name}", refuse)
    nvml.nvmlDeviceGetHandleByUUID = refuse
    assert gpu.status({}) == GpuStatus(2300)


def test_without_nvml_the_own_memory_is_told(torch, monkeypatch):
    monkeypatch.setattr(gpu, "_nvml", lambda: None)
    assert gpu.status({}) == GpuStatus(2300)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        DeviceFull("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate()`"),
    ],
)
def test_the_ways_in_which_memory_runs_out_are_known(torch, error):
    assert gpu.out_of_memory(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA error: an illegal memory access"), ValueError("out of memory")]
)
def test_other_errors_are_not_taken_for_it(torch, error):
    assert not gpu.out_of_memory(error)


def test_without_torch_only_this_machines_memory_can_run_out(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert gpu.out_of_memory(MemoryError())
    assert not gpu.out_of_memory(RuntimeError("CUDA error: out of memory"))


def test_what_nobody_uses_is_given_back(torch):
    gpu.release()
    assert torch.cuda.given_back


def test_looking_for_a_gpu_loads_nothing_heavy():
    code = (
        "import sys; from vcam.gpu import device; device.present(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_cushion_is_taken_from_both_pools_and_left_to_torch(torch):
    taken = []
    torch.uint8 = "bytes"
    torch.empty = lambda size, dtype, device: taken.append((size, device))
    gpu.take_cushion()
    assert sum(size for size, _ in taken) == gpu.CUSHION * MIB
    assert {size <= MIB for size, _ in taken} == {True, False}
    torch.cuda.is_initialized = lambda: False
    gpu.take_cushion()
    assert sum(size for size, _ in taken) == gpu.CUSHION * MIB
