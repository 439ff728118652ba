"""Compiling a face's networks before they are wanted: once per machine, stage by stage."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator

from vcam import clock
from vcam.engine.backends import MOTION, MOUTH, RENDERER, Asked
from vcam.engine.failover import may_be_neural, neural_stages
from vcam.gpu import compiled, device

QUICK = 40.0  # seconds to open an engine, from a disk that has to be read

OPENERS: dict[str, Callable[[Asked], object]] = {
    name: backend.open for table in (RENDERER, MOTION, MOUTH) for name, backend in table.items()
}


def parts(asked: Asked) -> dict[str, str]:
    """What is compiled for a face: each neural stage, and the name of its kernels' stamp."""
    profile, found = asked.profile, dict[str, str]()
    settings = {
        "artalk": f"{profile.mode} {profile.talk.soft_levels}",
        "gagavatar": f"{asked.size}",
        "musetalk": f"{asked.size} {profile.musetalk.blend} {profile.musetalk.coder}",
    }
    if profile.avatar is not None:  # its points and its picture's size are its own
        settings[profile.renderer] = profile.consent.photo_sha256[:16]
    for name in neural_stages(profile) if may_be_neural(profile) else ():
        sizes = "small" if profile.weights == "small" else "full"
        found[name] = f"{name} {sizes} {settings[name]}"
    return found


def is_built(asked: Asked) -> bool:
    """Whether an engine for this face would find all its kernels."""
    return all(compiled.built(stamp) for stamp in parts(asked).values())


def is_quick(asked: Asked) -> bool:
    """Whether opening that engine is not known to keep everybody waiting.

    Where kernels cannot be read again (`compile_cache`) torch traces the networks anew, which takes
    longer than to record them uncompiled. Where two engines do not fit beside each other it is
    waited for.
    """
    facts = compiled.known(_opening(asked))
    return bool(facts.get("tight")) or facts.get("seconds", 0.0) <= QUICK


def note_opened(asked: Asked, seconds: float | None) -> None:
    """An engine was opened, compiled, in `seconds`; None: there was no memory for it."""
    if is_built(asked):
        facts = {"tight": True} if seconds is None else {"seconds": round(seconds, 1)}
        compiled.mark(_opening(asked), **facts)
    elif seconds is not None:
        for stamp in parts(asked).values():
            compiled.mark(stamp)
        compiled.tidy()


def _opening(asked: Asked) -> str:
    return f"opening {', '.join(parts(asked).values())}"


def build(asked: Asked) -> Iterator[str]:
    """Compile what has not been; yields what is being done, in words.

    One stage is held at a time, so that an engine that is live beside it keeps its memory. Raises
    VcamError for a stage that cannot be opened here.
    """
    compiled.use()
    missing = {name: stamp for name, stamp in parts(asked).items() if not compiled.built(stamp)}
    for number, (name, stamp) in enumerate(missing.items(), 1):
        yield f"compiling {name} ({number} of {len(missing)})"
        began = clock.now()
        OPENERS[name](asked)
        compiled.mark(stamp, seconds=round(clock.now() - began, 1))
        _let_go()
    if missing:
        compiled.tidy()


def _let_go() -> None:
    """Of the stage just compiled: its networks refer to themselves."""
    if "torch._dynamo" in sys.modules:
        import torch._dynamo

        torch._dynamo.reset()
    gc.collect()
    device.release()
