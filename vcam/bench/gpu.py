"""What only a neural path has: a busy GPU, memory by stage, frame by frame cost, eager or not."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vcam import clock
from vcam.bench.figures import Figures, rounded
from vcam.engine import networks
from vcam.engine.degradation import FULL, Level
from vcam.engine.engine import Engine
from vcam.engine.pipeline import Pipeline
from vcam.media import AudioChunk, FloatArray, Frame, Motion, frame_ticks
from vcam.monitor.stats import Series
from vcam.profiles.profile import Profile

if TYPE_CHECKING:
    import torch

MIB = 2**20
HOP = frame_ticks(25)  # ticks of sound that one of ARTalk's motions takes
WARM = 20  # calls before timing
LOOK = 0.1  # seconds between two looks at the GPU


class GpuLooks:
    """Looks at the GPU now and then, on a thread of its own; NVML only, no context on the GPU."""

    def __init__(self) -> None:
        """Raises ImportError or NVML's own error where there is none to look at."""
        self._nvml: Any = importlib.import_module("pynvml")
        self._nvml.nvmlInit()
        self._device = first_visible(self._nvml)
        self._before = self._used()
        self._looks: list[tuple[float, float, float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="vcam-gpu-looks", daemon=True)
        self._thread.start()

    def close(self, since: float) -> Figures:
        """Stop; what was seen from monotonic time `since` on, and memory from the beginning."""
        self._stop.set()
        self._thread.join()
        live = [look for look in self._looks if look[0] >= since] or self._looks
        _, busy, _, watts = np.array(live).T
        used = [look[2] for look in self._looks]
        return {
            "busy_percent": round(float(busy.mean()), 1),
            "busy_percent_p95": float(np.percentile(busy, 95)),
            "device_peak_mib": round(max(used) - self._before),
            "device_live_mib": round(live[-1][2] - self._before),
            "device_before_mib": round(self._before),
            "watts": round(float(watts.mean())),
            "looks": len(live),
            "name": str(self._nvml.nvmlDeviceGetName(self._device)),
        }

    def _used(self) -> float:
        return float(self._nvml.nvmlDeviceGetMemoryInfo(self._device).used) / MIB

    def _look(self) -> None:
        nvml, device = self._nvml, self._device
        while not self._stop.wait(LOOK):
            load = nvml.nvmlDeviceGetUtilizationRates(device).gpu
            watts = nvml.nvmlDeviceGetPowerUsage(device) / 1000
            self._looks.append((clock.now(), load, self._used(), watts))


def first_visible(nvml: Any) -> Any:
    """NVML's handle of the GPU that an engine of ours will use: the first that CUDA may see.

    NVML numbers by bus, and so does CUDA where all GPUs are of one kind.
    """
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    if not first or first.isdecimal():
        return nvml.nvmlDeviceGetHandleByIndex(int(first or 0))
    for index in range(nvml.nvmlDeviceGetCount()):  # a name may be cut short
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        if nvml.nvmlDeviceGetUUID(device).startswith(first):
            return device
    return nvml.nvmlDeviceGetHandleByUUID(first)


class MemoryByStage:
    """Notes torch's memory on the GPU at each word of a starting engine."""

    def __init__(self) -> None:
        self.mib: dict[str, dict[str, float]] = {}
        self._since = clock.now()

    def __call__(self, note: str) -> None:
        """`note` tells what has just been done."""
        torch = sys.modules.get("torch")
        self.mib[note] = {"seconds": round(clock.now() - self._since, 2)}
        if torch is not None and torch.cuda.is_initialized():
            cuda = torch.cuda
            self.mib[note] |= {
                "allocated": round(cuda.memory_allocated() / MIB),
                "peak": round(cuda.max_memory_allocated() / MIB),
                "reserved": round(cuda.memory_reserved() / MIB),
            }
            cuda.reset_peak_memory_stats()


class _Replayed:
    """A motion model that has thought already: gives each motion when its own sound is heard."""

    speaking = True

    def __init__(self, motions: Sequence[Motion], delay: int) -> None:
        self.delay, self._motions = delay, motions
        self.reset()

    def step(self, sound: AudioChunk) -> list[Motion]:
        due = [m for m in self._motions[self._given :] if m.at + self.delay <= sound.end]
        self._given += len(due)
        return due

    def reset(self) -> None:
        self._given = 0


def opened(profile: Profile, fps: int, size: int, engines: list[Engine]) -> Figures:
    """Add an engine of this process to `engines`; what memory each stage took."""
    memory = MemoryByStage()
    engines.append(Engine.open(profile, fps, size, memory))
    memory("warm")
    return memory.mib


def frame_cost(
    engine: Engine, voice: FloatArray, fps: int, count: int, level: Level = FULL
) -> Figures:
    """Motion in, uint8 on the host out, one painted frame after another; ms by wall clock."""
    path, ticks = engine.pipeline, frame_ticks(fps)
    delay = max(path.mouth.context, ticks)
    motions = some_motions(engine, voice, len(voice))
    replay = Pipeline(_Replayed(motions, delay), path.renderer, path.mouth, path.watch)
    replay.level = level
    drawing, stages, took = Engine(replay, fps), dict[str, Series](), list[float]()
    painted = _painted(path.mouth)
    for index in range(len(voice) // ticks):
        sound = AudioChunk(index * ticks, voice[index * ticks : (index + 1) * ticks])
        start = clock.now()
        frames = list(drawing.step_all(sound))
        spent, before = 1000 * (clock.now() - start), painted
        painted = _painted(path.mouth)
        if len(frames) != 1 or painted == before or index < WARM:
            continue  # a frame whose mouth was left alone costs less
        took.append(spent)
        for name, part in frames[0].took.items():
            stages.setdefault(name, Series()).add(part)
    took = took[:count]
    return {"frame_ms": _quantiles(took), "stages_ms": _by_name(stages), "frames": len(took)}


def some_motions(engine: Engine, voice: FloatArray, count: int = 50) -> list[Motion]:
    """The first motions of a voice."""
    engine.pipeline.reset()
    motions: list[Motion] = []
    for start in range(0, len(voice), HOP):
        motions += engine.pipeline.motion.step(AudioChunk(start, voice[start : start + HOP]))
        if len(motions) >= count:
            break
    engine.pipeline.reset()
    return motions


def _painted(mouth: object) -> int:
    """Mouths painted so far; a painter that does not count paints them all."""
    counts = getattr(mouth, "counts", None)
    return int(counts.painted) if counts is not None else int(1e9 * clock.now())


def hop_cost(engine: Engine, voice: FloatArray, count: int) -> Figures:
    """40 ms of sound in, their motion on the host out."""
    motion, took = engine.pipeline.motion, []
    motion.reset()
    for index in range(min(count + WARM, len(voice) // HOP)):
        sound = AudioChunk(index * HOP, voice[index * HOP : (index + 1) * HOP])
        start = clock.now()
        if motion.step(sound) and index >= WARM:
            took.append(1000 * (clock.now() - start))
    motion.reset()
    return {"hop_ms": _quantiles(took), "hops": len(took)}


def film_cost(engine: Engine, voice: FloatArray) -> Figures:
    """The whole path without a clock: how many times faster than real time a film is made."""
    from vcam.film.render import frames_of

    engine.pipeline.reset()
    start = clock.now()
    frames = sum(1 for _ in frames_of(voice, engine))
    spent = clock.now() - start
    return {"times_real_time": round(len(voice) / 48_000 / spent, 2), "frames": frames,
            "ms_a_frame": round(1000 * spent / max(frames, 1), 3)}  # fmt: skip


def kernels(engine: Engine, voice: FloatArray, fps: int, most: int = 15) -> Figures:
    """What the GPU itself does for a frame: ms of all kernels, and of the longest, by profiler."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    frames = list(engine.step_all(AudioChunk(0, voice[: 48_000 * 2])))
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        frames = list(engine.step_all(AudioChunk(48_000 * 2, voice[48_000 * 2 : 48_000 * 4])))
        torch.cuda.synchronize()
    spent = {each.key: each.self_device_time_total / 1000 for each in seen.key_averages()}
    longest = sorted(spent, key=lambda name: -spent[name])[:most]
    count = max(len(frames), 1)
    return {
        "frames": len(frames),
        "busy_ms_a_frame": round(sum(spent.values()) / count, 3),
        "busy_percent_live": round(sum(spent.values()) / count * fps / 10, 1),
        "longest": {name[:60]: round(spent[name] / count, 3) for name in longest},
    }


def eager_cost(profile: Profile, size: int, motions: Sequence[Motion], count: int) -> Figures:
    """The same networks as upstream runs them, in sequence."""
    from vcam.bench.eager import EagerMouth
    from vcam.render.gagavatar.renderer import GagavatarRenderer
    from vcam.render.gagavatar.steps import Manner

    source = networks.source(profile.weights)
    device = source.device("the eager path")
    figures: Figures = {"hop_ms": _eager_hops(source, device, count // 4)}
    plain = Manner(half=False, speed="plain", host=True)
    person, flame = source.person(profile.folder), source.flame()
    renderer = GagavatarRenderer.of(source.gagavatar(), person, flame, size, "black", device, plain)
    mouth = EagerMouth(*source.musetalk(), device)
    frames: dict[int, Frame] = {}

    def render(index: int) -> None:
        frames[0] = renderer.step(motions[index % len(motions)])

    def both(index: int) -> None:
        render(index)
        mouth(frames[0])

    figures["render_ms"] = _quantiles(_timed(render, count))
    figures["mouth_ms"] = _quantiles(_timed(lambda index: mouth(frames[0]), count))
    return figures | {"frame_ms": _quantiles(_timed(both, count))}


def _eager_hops(source: networks.Networks, device: torch.device, count: int) -> dict[str, float]:
    from vcam.bench.eager import EagerMotion

    hop = EagerMotion(source.artalk(), device)
    return _quantiles(_timed(lambda index: hop(), count))


def compared(cost: Figures, hops: Figures, eager: Figures, fps: int) -> Figures:
    """How many times faster than eager a frame is: from its motion, and from its sound."""
    share = 25 / fps  # hops to a frame
    ours, theirs = cost["frame_ms"]["p50"], eager["frame_ms"]["p50"]
    ours_all = ours + share * hops["hop_ms"]["p50"]
    theirs_all = theirs + share * eager["hop_ms"]["p50"]
    return {
        "frame_ms": round(ours, 3),
        "frame_with_motion_ms": round(ours_all, 3),
        "eager_frame_ms": round(theirs, 3),
        "eager_frame_with_motion_ms": round(theirs_all, 3),
        "times_faster": round(theirs / ours, 2),
        "times_faster_with_motion": round(theirs_all / ours_all, 2),
    }


def _timed(call: Callable[[int], object], count: int) -> list[float]:
    """Milliseconds of each call, which ends on the host."""
    took = []
    for index in range(max(count, 3) + 3):
        start = clock.now()
        call(index)
        took.append(1000 * (clock.now() - start))
    return took[3:]


def _quantiles(took: list[float]) -> dict[str, float]:
    series = Series(len(took) or 1)
    for value in took:
        series.add(value)
    return rounded(series.quantiles())


def _by_name(stages: dict[str, Series]) -> dict[str, dict[str, float]]:
    return {name: rounded(series.quantiles()) for name, series in stages.items()}
