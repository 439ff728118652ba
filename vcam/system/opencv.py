"""OpenCV, loaded when something is drawn: its import fails where libGL is missing.

from vcam.system import opencv as cv2
"""

from __future__ import annotations

from typing import Any

from vcam.errors import DeviceError
from vcam.system import install, missing

OTHERS = "opencv-contrib-python opencv-contrib-python-headless opencv-python-headless"
AGAIN = f"pip uninstall -y {OTHERS} && pip install --force-reinstall --no-deps 'opencv-python>=5.0'"


def __getattr__(name: str) -> Any:
    """OpenCV's own `name`, looked up once. Raises DeviceError where OpenCV does not load."""
    if name.startswith("__"):  # the interpreter's questions about this module
        raise AttributeError(name)
    found = getattr(missing.OPENCV.load(), name)
    globals()[name] = found
    return found


def require_rasterizer() -> str:
    """Its version; DeviceError when it cannot draw triangles, as OpenCV 5 does."""
    cv2 = missing.OPENCV.load()
    if hasattr(cv2, "triangleRasterize") and hasattr(cv2, "TriangleRasterizeSettings"):
        return str(cv2.__version__)
    raise DeviceError(
        f"OpenCV {cv2.__version__} in {next(iter(cv2.__path__))} has no triangleRasterize, "
        f"another package brought it; run: {install.here(AGAIN)}"
    )
