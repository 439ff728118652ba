"""ARTalk's talk mode as it runs live, timed: the stage, its hops, the way there and back."""

from __future__ import annotations

import argparse
import gc
import time

import numpy as np
import torch
from studies.motion.stream import hop_cost

from vcam.gpu.cuda_graph import cuda_graph
from vcam.media import AudioChunk
from vcam.motion.artalk.exchange import Exchange
from vcam.motion.artalk.fast import FastDecoder
from vcam.motion.artalk.model import ArtalkMotion
from vcam.motion.artalk.modes import live_decoder
from vcam.motion.artalk.sliding import TalkSettings
from vcam.nets.artalk import FRAMES, MOTION, SAMPLES, ArtalkNet

FRAME = 1920
SEED = 7


def stage(net: ArtalkNet, device: torch.device, options: argparse.Namespace) -> dict[str, object]:
    """The whole stage as a session runs it: 48 kHz in, motion on the host out, hop by hop."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    rows: dict[str, object] = {}
    ways = {"": TalkSettings()}
    if not options.stage_only:
        ways[", cached"] = TalkSettings(cache_convolutions=True)
    for name, settings in ways.items():
        model = ArtalkMotion(net, settings=settings, device=device)
        spent, got = _run(model, options.hops)
        rows[f"stage{name}: hop of 40 ms, ms p50/p95/p99/max"] = percentiles(
            spent, (50, 95, 99, 100)
        )
        rows[f"stage{name}: motions"] = got
        if device.type == "cuda":
            rows[f"stage{name}: GPU MiB allocated at most"] = _mib(
                torch.cuda.max_memory_allocated()
            )
            rows[f"stage{name}: GPU MiB reserved"] = _mib(torch.cuda.memory_reserved())
            free, total = torch.cuda.mem_get_info()
            rows[f"stage{name}: GPU MiB in use on the device"] = _mib(total - free)
        del model
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
    return rows


def hops(net: ArtalkNet, device: torch.device, options: argparse.Namespace) -> dict[str, object]:
    """Talk mode without the stage about it: hops of 1, 2 and 4 frames, with and without the graph
    and compiled pieces; and what the way to the device and back adds to the decoding."""
    rows: dict[str, object] = {}
    for compiled in (True, False) if options.compile else (False,):
        fast = live_decoder(net, 1, device, compiled)
        for graph in (True, False) if device.type == "cuda" else (False,):
            way = ("compiled, " if compiled else "") + ("graph" if graph else "no graph")
            for hop in (1, 2, 4):
                cost = hop_cost(fast, net, hop, options.calls, graph)
                figures = [round(cost[key], 2) for key in ("p50 ms", "p95 ms", "p99 ms")]
                rows[f"hop of {hop}, {way}: ms p50/p95/p99"] = figures
        if compiled or not options.compile:
            rows |= _ways(fast, net, device, options.calls)
    return rows


@torch.inference_mode()
def _ways(fast: FastDecoder, net: ArtalkNet, device: torch.device, calls: int) -> dict[str, object]:
    """Host to host: pinned, in one piece each way; and as plain copies of every part."""
    draw, style = np.random.default_rng(SEED), net.style(None).to(device)
    window = draw.normal(0, 0.05, SAMPLES).astype(np.float32)
    past = draw.normal(0, 0.3, (1, FRAMES, MOTION)).astype(np.float32)
    pinned = Exchange(fast.decode, style, device)
    record = cuda_graph(fast.decode, device.type == "cuda")

    def pageable() -> object:
        audio, before = torch.from_numpy(window)[None].to(device), torch.from_numpy(past).to(device)
        floor = torch.tensor([[0.01]], dtype=torch.float32).to(device)
        return record(audio, before, style, floor).cpu().numpy()

    def on_device() -> object:
        return wait(device) if record(*resident) is not None else None

    resident = [torch.from_numpy(window)[None].to(device), torch.from_numpy(past).to(device), style]
    resident.append(torch.full((1, 1), 0.01, device=device))
    ways = {
        "decoding on the device": on_device,
        "decoding, pageable copies": pageable,
        "decoding, pinned in one piece": lambda: pinned(window, past, 0.01),
    }
    rows: dict[str, object] = {}
    for name, run in ways.items():
        spent = []
        for index in range(calls + 5):
            started = time.perf_counter()
            run()
            if index >= 5:
                spent.append(1000 * (time.perf_counter() - started))
        rows[f"{name}, ms p50/p99"] = percentiles(spent)
    return rows


def _run(model: ArtalkMotion, hops: int) -> tuple[list[float], int]:
    draw = np.random.default_rng(SEED)
    spent, got = [], 0
    for index in range(hops + 20):
        block = draw.normal(0, 0.05, FRAME).astype(np.float32)
        started = time.perf_counter()
        motions = model.step(AudioChunk(index * FRAME, block))
        if index >= 20:  # the first hops compile and record
            spent.append(1000 * (time.perf_counter() - started))
            got += len(motions)
        assert all(np.isfinite(motion.face.expression).all() for motion in motions)
    return spent, got


def percentiles(spent: list[float], which: tuple[int, ...] = (50, 99)) -> list[float]:
    """Of milliseconds, two digits."""
    return [round(float(np.percentile(spent, percent)), 2) for percent in which]


def _mib(size: int) -> int:
    return round(size / 2**20)


def wait(device: torch.device) -> None:
    """Until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
