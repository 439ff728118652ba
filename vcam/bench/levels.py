"""What each level of an engine costs, and the rate of frames that a machine holds."""

from __future__ import annotations

from typing import Any

from vcam.engine.engine import Engine

Figures = dict[str, Any]


def levels(engine: Engine) -> Figures:
    """What a frame costs on each level of the engine, its motion included, and where it starts."""
    costs = {
        level.name: {
            "ms": round(1000 * share / (level.fps or engine.degradation.fps), 2),
            "share": round(share, 3),
        }
        for level, share in engine.prices
    }
    return {"costs": costs, "starts on": engine.degradation.level.name}


def pace(cost: Figures, hops: Figures, fps: int) -> Figures:
    """What there is to do for a frame, and the rate of frames at which that fills all time."""
    frame, hop = cost["frame_ms"]["p50"], hops["hop_ms"]["p50"]
    return {
        "frame and its share of a hop, ms": round(frame + hop * 25 / fps, 2),
        "fps held": round((1000 - 25 * hop) / frame, 1),
    }
