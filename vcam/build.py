"""Compiling a face's networks before they are wanted: once per machine, stage by stage."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator

from vcam import compiled, gpu
from vcam.backends import MOTION, MOUTH, RENDERER, Asked
from vcam.cast import may_be_neural, neural_stages

OPENERS: dict[str, Callable[[Asked], object]] = {
    name: backend.open for table in (RENDERER, MOTION, MOUTH) for name, backend in table.items()
}


def parts(asked: Asked) -> dict[str, str]:
    """What is compiled for a face: each neural stage, and the name of its kernels' stamp."""
    profile, found = asked.profile, dict[str, str]()
    settings = {
        "artalk": f"{profile.mode} {profile.talk.soft_levels}",
        "gagavatar": f"{asked.size}",
        "musetalk": f"{asked.size} {profile.musetalk.blend}",
    }
    for name in neural_stages(profile) if may_be_neural(profile) else ():
        sizes = "small" if profile.weights == "small" else "full"
        found[name] = f"{name} {sizes} {settings[name]}"
    return found


def is_built(asked: Asked) -> bool:
    """Whether an engine for this face would find all its kernels."""
    return all(compiled.built(stamp) for stamp in parts(asked).values())


def note_built(asked: Asked) -> None:
    """An engine for this face has been opened, compiled, in this process."""
    for stamp in parts(asked).values():
        if not compiled.built(stamp):
            compiled.mark(stamp)


def build(asked: Asked) -> Iterator[str]:
    """Compile what has not been; yields what is being done, in words.

    One stage is held at a time, so that an engine that is live beside it keeps its memory. Raises
    VcamError for a stage that cannot be opened here.
    """
    compiled.use()
    missing = {name: stamp for name, stamp in parts(asked).items() if not compiled.built(stamp)}
    for number, (name, stamp) in enumerate(missing.items(), 1):
        yield f"compiling {name} ({number} of {len(missing)})"
        began = time.monotonic()
        OPENERS[name](asked)
        compiled.mark(stamp, seconds=round(time.monotonic() - began, 1))
        _let_go()


def _let_go() -> None:
    """Of the stage just compiled: its networks refer to themselves."""
    if "torch._dynamo" in sys.modules:
        import torch._dynamo

        torch._dynamo.reset()
    gc.collect()
    gpu.release()
