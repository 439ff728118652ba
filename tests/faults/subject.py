"""The program under test: a real run whose camera notes the time of every frame.

Its camera and its motion model are entries in the tables that every run opens its parts from.
Files in the folder VCAM_FAULTS tell them what to do: `camera-gone` takes the camera away, `raise`
makes the next step of the engine fail with the error it names.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from pathlib import Path
from typing import Any

from vcam.camera import open as cameras
from vcam.engine.backends import MOTION, Asked, Backend
from vcam.errors import DeviceError
from vcam.media import AudioChunk, BlendshapeFace, Frame, Motion

FOLDER = Path(os.environ.get("VCAM_FAULTS", "."))
FRAMES, GONE, RAISE = FOLDER / "frames", FOLDER / "camera-gone", FOLDER / "raise"
VISEMES = MOTION["visemes"]
RECORD = struct.Struct("<dq")  # monotonic second, tick of the frame
ERRORS: dict[str, type[BaseException]] = {"MemoryError": MemoryError, "RuntimeError": RuntimeError}


class NotingCamera:
    """Notes when which frame came; its device is gone while the file GONE is there."""

    name, format = "notes", "any"

    def __init__(self, **_settings: object) -> None:
        self._refuse_when_gone()
        self._notes = FRAMES.open("ab", buffering=0)

    def send(self, frame: Frame) -> None:
        """Note the frame."""
        self._refuse_when_gone()
        self._notes.write(RECORD.pack(time.monotonic(), frame.at))

    def close(self) -> None:
        """Let go of the file."""
        self._notes.close()

    def _refuse_when_gone(self) -> None:
        if GONE.exists():
            raise DeviceError("the camera was taken away")


class FaultyMotion:
    """The embedded motion model, which fails once whenever it is told to.

    It bears that one's name: an unknown one counts as neural, and an engine with a neural stage
    that is too slow on a busy machine is ended, to be stood in for.
    """

    def __init__(self, asked: Asked) -> None:
        self._model = VISEMES.open(asked)
        self.delay = self._model.delay

    @property
    def speaking(self) -> bool:
        """Whether speech is heard."""
        return self._model.speaking

    def step(self, sound: AudioChunk) -> list[Motion]:
        """The motions of `sound`, unless it is time to fail."""
        if RAISE.exists():
            name, _, message = RAISE.read_text().partition(": ")
            RAISE.unlink()
            raise ERRORS[name](message)
        return self._model.step(sound)

    def reset(self) -> None:
        """As the model does."""
        self._model.reset()


if __name__ in ("__main__", "__mp_main__"):  # the run itself, or its engine's process
    MOTION["visemes"] = Backend(FaultyMotion, BlendshapeFace)
    cameras.BACKENDS |= {"none": f"{__name__}:NotingCamera"}


def main(settings: dict[str, Any]) -> None:
    """Live with `settings` of RunConfig; a line of JSON for each look at the run."""
    from vcam.config import RunConfig
    from vcam.live.run import live
    from vcam.monitor.stats import Snapshot

    due = 0.0

    def tell(now: Snapshot) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + 0.1
            look = {"at": time.monotonic(), "wall": time.time()} | now.as_json()
            print(json.dumps(look), flush=True)

    live(RunConfig(**settings), tell)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
