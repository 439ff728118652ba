"""How the MuseTalk benchmark measures: networks and material, times, memory, and differences."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
import torch
from gpu.musetalk_material import material, networks
from torch import Tensor

from vcam.media import AudioChunk, Frame

TICKS = 48_000 // 25


class Bench:
    """Networks, material and the rows found so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.rows: dict[str, object] = {}
        self.started = time.monotonic()
        self.frames, self.voice = material(options.material)
        self.net, self.speech = networks(options.weights, options.small, self.device)
        self.side = self.net.coder.side
        self.say("loaded", time.monotonic() - self.started, "s")

    def say(self, name: str, value: object, unit: str = "") -> None:
        """Keep and print one finding, with the seconds since the start."""
        self.rows[name] = value
        shown = f"{value:.3f}" if isinstance(value, float) else str(value)
        print(
            f"{time.monotonic() - self.started:6.1f} s  {name:<58} {shown:>12} {unit}", flush=True
        )

    def sound(self, at: int, context: int) -> AudioChunk:
        """The voice around tick `at`."""
        index = np.arange(at - context, at + context) % len(self.voice)
        return AudioChunk(at - context, self.voice[index])

    def frame(self, index: int) -> Frame:
        """The picture number `index`, which dates it."""
        frame = self.frames[index % len(self.frames)]
        return Frame(index * TICKS, frame.pixels, frame.landmarks)

    def sync(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def timed(self, call: Callable[[int], object], count: int, warm: int = 5) -> list[float]:
        """Milliseconds of each of `count` calls, each waited for."""
        took = []
        for index in range(warm + count):
            self.sync()
            start = time.perf_counter()
            call(index)
            self.sync()
            took.append(1000 * (time.perf_counter() - start))
        return sorted(took[warm:])

    def percentiles(self, name: str, call: Callable[[int], object], count: int) -> float:
        """Print p50 and p99 of a call; give p50."""
        took = self.timed(call, count)
        p50, p99 = took[len(took) // 2], took[min(int(0.99 * len(took)), len(took) - 1)]
        self.say(f"{name}: p50", p50, "ms")
        self.say(f"{name}: p99", p99, "ms")
        return p50

    def memory(self, name: str) -> None:
        """Print the most memory in use since the last call."""
        if self.device.type == "cuda":
            self.say(f"{name}: most allocated", torch.cuda.max_memory_allocated() / 2**30, "GiB")
            torch.cuda.reset_peak_memory_stats()


def psnr(a: Tensor, b: Tensor, peak: float = 1.0) -> float:
    """Peak signal to noise, dB."""
    error = (a.double() - b.double()).square().mean().item()
    return math.inf if error == 0 else 10 * math.log10(peak * peak / error)


def compare(bench: Bench, name: str, got: list[Tensor], wanted: list[Tensor]) -> None:
    """How far painted pictures are from others."""
    pairs = list(zip(got, wanted, strict=True))
    bench.say(f"{name}: worst", min(psnr(a, b, 255.0) for a, b in pairs), "dB")
    largest = max((a.int() - b.int()).abs().max().item() for a, b in pairs)
    bench.say(f"{name}: largest step", largest, "of 255")
