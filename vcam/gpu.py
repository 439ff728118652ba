"""What the GPU of this process is doing, as NVML tells it."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import Any

GIB = 2**30


def describe() -> str:
    """Memory and load of the GPU, for people; "" while this process uses none.

    A process that has not loaded torch uses none. Needs nvidia-ml-py, which the extra
    `vcam[neural]` brings.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return ""
    nvml = _nvml()
    if nvml is None:
        return f"{torch.cuda.memory_allocated() / GIB:.1f} GiB here (no NVML: load unknown)"
    device = nvml.nvmlDeviceGetHandleByIndex(torch.cuda.current_device())
    memory = nvml.nvmlDeviceGetMemoryInfo(device)
    load = nvml.nvmlDeviceGetUtilizationRates(device).gpu
    own = torch.cuda.memory_reserved() / GIB
    used, whole = memory.used / GIB, memory.total / GIB
    return f"{own:.1f} GiB here, {used:.1f} of {whole:.0f} GiB in use, {load} % busy"


@cache
def _nvml() -> Any:
    """NVML, opened once; None where it is not installed or finds no driver."""
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except (ImportError, OSError):
        return None
    except nvml.NVMLError:
        return None
    return nvml
