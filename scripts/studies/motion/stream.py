"""Talk mode as it runs live, one voice hop by hop: what a hop costs, and whether it lasts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import psutil
import torch

from vcam.media import AudioChunk, FloatArray, Motion, frame_ticks
from vcam.motion.artalk.fast import FastDecoder
from vcam.motion.artalk.model import ArtalkMotion
from vcam.motion.artalk.modes import FPS, Talk
from vcam.motion.artalk.sliding import TalkSettings
from vcam.nets.artalk import SAMPLES, ArtalkNet

HOP = SAMPLES // 100
BLOCK = 480  # ticks: what a microphone hands over at a time
WARM = 8  # hops that compile and record
# The mouth is not brought to rest and the head not limited: the decoding is looked at, not its use.
BARE = replace(TalkSettings(), rest_after=60.0, head_limit=3.2)


@torch.inference_mode()
def hop_cost(
    fast: FastDecoder, net: ArtalkNet, hop: int, hops: int, graph: bool
) -> dict[str, float]:
    """Milliseconds of a hop of talk mode: speech at 16 kHz in, motion on the host out, everything
    between included."""
    talk = Talk(fast, net.style(None).to(fast.device), replace(TalkSettings(), hop=hop), graph)
    draw, spent = np.random.default_rng(0), list[float]()
    while len(spent) < hops + WARM:
        block = draw.normal(0, 0.05, HOP).astype(np.float32)
        started = time.perf_counter()
        if talk.step(block):  # a frame of sound that completes a hop
            spent.append(1000 * (time.perf_counter() - started))
    p50, p95, p99 = np.percentile(spent[WARM:], [50, 95, 99])
    return {
        "p50 ms": float(p50),
        "p95 ms": float(p95),
        "p99 ms": float(p99),
        "p99 over the hop": float(p99) / (40 * hop),
    }


@dataclass
class Stream:
    """A long stream as it came out."""

    motion: FloatArray  # [T, 106]
    late: list[set[int]]  # by the minute: ticks from a motion's own to the end of the sound heard
    host_mib: list[float]  # resident memory after each minute
    device_mib: list[float]  # allocated on the GPU, likewise
    seconds: float  # that it took

    @property
    def grown(self) -> float:
        """MiB from the first minute's end to the most after it; the first one loads and records."""
        return max(
            max(each) - each[0] if each else 0.0 for each in (self.host_mib, self.device_mib)
        )

    @property
    def drift(self) -> int:
        """Ticks between the least and the most that motions came late."""
        late = set().union(*self.late)
        return max(late) - min(late)


def stream(net: ArtalkNet, device: torch.device, clips: FloatArray, minutes: float) -> Stream:
    """The clips [N, samples] at 16 kHz, one after the other again and again, as one stream of 48
    kHz through the stage, block by block, as fast as it decodes."""
    model = ArtalkMotion(net, settings=BARE, device=device)
    got = Stream(np.zeros((round(minutes * 60 * FPS), 106), np.float32), [], [], [], 0.0)
    process, started, count = psutil.Process(), time.monotonic(), 0
    minute = 60 * 48_000
    for sound in _blocks(clips, round(minutes * minute) + model.delay + BLOCK):
        if sound.start % minute == 0 and sound.start < minutes * minute:
            got.late.append(set())
        for motion in model.step(sound):
            assert motion.at == count * frame_ticks(FPS), (motion.at, count)
            got.late[-1].add(sound.end - motion.at)
            if count < len(got.motion):
                got.motion[count] = _numbers(motion)
            count += 1
        if sound.end % minute == 0:
            got.host_mib.append(process.memory_info().rss / 2**20)
            cuda = device.type == "cuda"
            got.device_mib.append(torch.cuda.memory_allocated() / 2**20 if cuda else 0.0)
    assert count >= len(got.motion), (count, len(got.motion))
    got.seconds = time.monotonic() - started
    return got


def _blocks(clips: FloatArray, ticks: int) -> Iterator[AudioChunk]:
    """Blocks of 48 kHz sound, `ticks` in all; each clip is brought to 48 kHz in its spectrum."""
    start, rest = 0, np.zeros(0, np.float32)
    while start < ticks:
        for clip in clips:
            spectrum = np.fft.rfft(clip)
            loud = np.fft.irfft(np.pad(spectrum, (0, len(clip))), 3 * len(clip)) * 3
            rest = np.concatenate([rest, loud.astype(np.float32)])
            while len(rest) >= BLOCK and start < ticks:
                yield AudioChunk(start, rest[:BLOCK])
                start, rest = start + BLOCK, rest[BLOCK:]


def _numbers(motion: Motion) -> FloatArray:
    return np.concatenate([motion.face.expression, motion.head, motion.face.jaw])
