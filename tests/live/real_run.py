"""`vcam` with a webcam that is none: python -m tests.live.real_run run --webcam 0 ..."""

from __future__ import annotations

from tests.camera.webcams import FakeCapture
from tests.device.timecode import take_part
from vcam.cli.main import main
from vcam.system import opencv

if __name__ in ("__main__", "__mp_main__"):  # the latter is what an engine process calls it
    opencv.VideoCapture = FakeCapture  # type: ignore[attr-defined]
    take_part()
if __name__ == "__main__":
    raise SystemExit(main())
