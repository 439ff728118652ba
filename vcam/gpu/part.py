"""Only a part of the GPU: so many of its multiprocessors, as a smaller card would have.

For measuring. A process in whose environment `VCAM_SMS` stands enters a CUDA green context before
it opens an engine; all streams and graphs made by that thread afterwards stay inside. Memory, its
bandwidth and the clocks remain those of the whole card.
"""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import Any

from vcam.errors import ConfigError, DeviceError
from vcam.gpu import device as gpu

VARIABLE = "VCAM_SMS"
NEEDS = "a torch with green contexts (2.11 or newer) and a driver for CUDA 12.4 or newer"
_SIDE = 8192  # of the matrices whose product tells the tensor rate
_PRODUCTS = 10


def ask(multiprocessors: int | None) -> None:
    """Have this process, and those that it starts, enter such a part; None: the whole GPU.

    Raises DeviceError where there is no GPU at all, ConfigError for a number that is none.
    """
    os.environ.pop(VARIABLE, None)
    if multiprocessors is None:
        return
    if multiprocessors < 1:
        raise ConfigError(f"--sms {multiprocessors}: give a number of multiprocessors from 1")
    if not gpu.present():
        raise DeviceError("--sms takes a part of an NVIDIA GPU, and there is none here")
    os.environ[VARIABLE] = str(multiprocessors)


def asked() -> int | None:
    """How many multiprocessors this process may use; None: all."""
    return int(os.environ[VARIABLE]) if os.environ.get(VARIABLE, "").isdecimal() else None


def enter() -> None:
    """Go into the part that was asked for, if one was. Loads torch; once is enough.

    Raises DeviceError, which says why, where that cannot be had.
    """
    if (count := asked()) is not None:
        _entered(count)


@cache
def _entered(count: int) -> Any:
    """The green context, current on this thread from now on."""
    import torch

    if not torch.cuda.is_available():
        raise DeviceError("--sms takes a part of an NVIDIA GPU, and torch finds none")
    whole = torch.cuda.get_device_properties().multi_processor_count
    if count > whole:
        raise DeviceError(f"--sms {count}: this GPU has {whole} multiprocessors")
    torch.zeros(1, device="cuda")  # a part is cut from a context that must be there
    try:
        contexts = importlib.import_module("torch.cuda.green_contexts")
        part = contexts.GreenContext.create(num_sms=count)
        part.set_context()
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise DeviceError(f"--sms needs {NEEDS}: {reason}") from error
    return part


def resume() -> None:
    """Go back into the part: compiled kernels make the GPU's own context current again.

    What is recorded in graphs stays inside anyway; what is not runs where the thread is.
    """
    if (count := asked()) is not None:
        _entered(count).set_context()


def measured() -> dict[str, float]:
    """Multiprocessors in use, those of the GPU, and the tensor rate, TFLOP/s.

    Best before an engine is opened on this thread, see `resume`.
    """
    import torch

    enter()
    whole = torch.cuda.get_device_properties().multi_processor_count
    return {"sms": asked() or whole, "of": whole, "tflops": round(_rate(), 1)}


def _rate() -> float:
    """TFLOP/s of a half-precision product with single-precision sums: the median of some."""
    import torch

    a, b = (torch.randn(_SIDE, _SIDE, device="cuda", dtype=torch.float16) for _ in range(2))
    out, took = torch.empty_like(a), list[float]()
    for _ in range(_PRODUCTS + 3):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]  # torch leaves it bare
        begin.record()
        torch.mm(a, b, out=out)
        end.record()
        end.synchronize()
        took.append(float(begin.elapsed_time(end)))
    typical = sorted(took[3:])[_PRODUCTS // 2]
    del a, b, out
    torch.cuda.empty_cache()
    return float(2 * _SIDE**3 / typical / 1e9)
