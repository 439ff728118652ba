"""A live engine is not held up by Python's garbage collector."""

import subprocess
import sys

PROGRAM = """
import gc
import numpy as np
from vcam.engine.engine import Engine
from vcam.media import AudioChunk
from vcam.profiles.profile import Profile

engine = Engine.open(Profile(motion="visemes", renderer="head3d", mouth="passthrough"), 30, 64)
assert gc.get_freeze_count() > 10_000, gc.get_freeze_count()  # what is loaded is never looked at
whole = []
gc.callbacks.append(lambda phase, info: whole.append(info) if info["generation"] == 2 else None)
noise, frames = np.random.default_rng(0), 0
for block in range(1000):
    sound = noise.normal(0, 0.05, 480).astype(np.float32)
    frames += len(list(engine.step(AudioChunk(480 * block, sound))))
print(frames, len(whole))
"""


def test_the_heap_is_frozen_and_never_searched_whole_while_live():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True
    )
    frames, whole = map(int, done.stdout.split())
    assert frames > 200  # of ten seconds
    assert whole == 0
