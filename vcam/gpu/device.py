"""What the GPU of this process is doing, as torch and NVML tell it. Nothing here imports torch."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from vcam.monitor.stats import GpuStatus

MIB = 2**20
CUSHION = 64  # MiB kept at hand for what a live engine asks for between its graphs
# Bits of NVML's clocks event reasons (nvml.h, nvmlClocksEventReason*), and what people call them.
SLOWED = {"heat": 0x20 | 0x40, "power": 0x04 | 0x80, "hardware": 0x08}
# What torch, cuBLAS and cuDNN say when the device has no memory left, not even for their own state.
# Not all of it is raised as torch.OutOfMemoryError.
FULL = (
    "out of memory",
    "ALLOC_FAILED",
    "ALLOCATION_FAILED",
    "cudaErrorMemoryAllocation",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_NOT_INITIALIZED",
)


def present() -> bool:
    """Whether this machine has an NVIDIA GPU, by a look that loads nothing heavy."""
    if any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg")):
        return True
    nvml = _nvml()
    return nvml is not None and bool(nvml.nvmlDeviceGetCount())


def in_use() -> bool:
    """Whether this process uses the GPU."""
    return _torch() is not None


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory has run out, the GPU's or this machine's."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in FULL)


def release() -> None:
    """Give back what torch keeps for later and nobody uses."""
    torch = _torch()
    if torch is not None:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()


def take_cushion() -> None:
    """Have torch keep a little memory, so that a live engine never has to ask for more.

    Blocks of at most a MiB and larger ones come from different pools; both get a cushion.
    """
    torch = _torch()
    if torch is None:
        return
    sizes = [MIB] * (CUSHION // 2) + [CUSHION // 2 * MIB]
    kept = [torch.empty(size, dtype=torch.uint8, device="cuda") for size in sizes]
    del kept


def taken_mib() -> float:
    """Memory that torch holds on the GPU for this process; 0 while it uses none."""
    torch = _torch()
    return 0.0 if torch is None else float(torch.cuda.memory_reserved()) / MIB


def status(stages_mib: Mapping[str, float]) -> GpuStatus | None:
    """The GPU now; None while this process uses none. Without NVML only what torch knows."""
    torch, nvml = _torch(), _nvml()
    if torch is None:
        return None
    own = GpuStatus(taken_mib(), dict(stages_mib))
    if nvml is None:
        return own
    device = _handle(torch, nvml)
    memory = _told(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(device))
    load = _told(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(device))
    celsius = _told(nvml, lambda: nvml.nvmlDeviceGetTemperature(device, 0))  # 0: of the chip
    return GpuStatus(
        own.own_mib,
        own.stages_mib,
        memory.used / MIB if memory else 0.0,
        memory.total / MIB if memory else 0.0,
        load.gpu / 100 if load else 0.0,
        float(celsius or 0.0),
        _slowed(nvml, device),
        _name(nvml, device),
    )


def names() -> str:
    """What the GPUs of this machine are called, by NVML alone: "2 x NVIDIA L4"; "" for none."""
    if (nvml := _nvml()) is None:
        return ""
    handle = nvml.nvmlDeviceGetHandleByIndex
    count = _told(nvml, nvml.nvmlDeviceGetCount) or 0
    devices = [_told(nvml, partial(handle, index)) for index in range(count)]
    found = Counter(_name(nvml, each) for each in devices if each is not None)
    return ", ".join(f"{n} x {name}" if n > 1 else name for name, n in found.items() if name)


def _name(nvml: Any, device: Any) -> str:
    name = _told(nvml, lambda: nvml.nvmlDeviceGetName(device))
    return name.decode() if isinstance(name, bytes) else name or ""


def _slowed(nvml: Any, device: Any) -> str:
    # Named after throttling until driver 535.
    ask = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
    ask = ask or getattr(nvml, "nvmlDeviceGetCurrentClocksThrottleReasons", None)
    reasons = _told(nvml, lambda: ask(device)) if ask else None
    return ", ".join(name for name, bits in SLOWED.items() if (reasons or 0) & bits)


def _told(nvml: Any, ask: Callable[[], Any]) -> Any:
    """NVML's answer; None where this GPU or driver has none."""
    try:
        return ask()
    except nvml.NVMLError:
        return None


def _handle(torch: Any, nvml: Any) -> Any:
    """The device that torch uses: by its name, because CUDA_VISIBLE_DEVICES renumbers."""
    index = torch.cuda.current_device()
    uuid = getattr(torch.cuda.get_device_properties(index), "uuid", None)
    by_name = (
        None
        if uuid is None
        else _told(nvml, lambda: nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}".encode()))
    )
    return by_name or nvml.nvmlDeviceGetHandleByIndex(index)


def _torch() -> Any:
    """torch, if this process has loaded it and uses the GPU."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_initialized() else None


@cache
def _nvml() -> Any:
    """NVML, opened once; None where it is not installed or finds no driver.

    It comes as nvidia-ml-py with the extra `neural`.
    """
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except (ImportError, OSError):
        return None
    except nvml.NVMLError:
        return None
    return nvml
