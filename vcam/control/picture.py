"""What is shown, made small for whoever looks on: a JPEG of few KB inside a line of JSON.

It is made when it is asked for: nobody who does not ask makes the run pay.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np

from vcam.errors import ConfigError
from vcam.media import Image
from vcam.system import opencv as cv2

SMALLEST, LARGEST = 8, 256  # pixels that may be asked for in one direction
MOST_BYTES = 48 << 10  # of a JPEG; what has much detail is made coarser
QUALITIES = (90, 60, 30)


def packed(picture: Image | None, width: int, height: int) -> dict[str, str]:
    """The reply that shows `picture` in at most `width` x `height` pixels, whole and undistorted.

    Its height is even: two pixels share a cell of a terminal. ConfigError for other sizes.
    """
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise ConfigError(f"a picture to look at has {SMALLEST} to {LARGEST} pixels a side")
    if picture is None:
        return {"picture": ""}
    scale = min(width / picture.shape[1], height / picture.shape[0])
    columns, rows = round(picture.shape[1] * scale), round(picture.shape[0] * scale / 2)
    size = (max(1, columns), 2 * max(1, min(rows, height // 2)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return {"picture": base64.b64encode(_jpeg(small)).decode()}


def unpacked(reply: Mapping[str, Any]) -> Image | None:
    """The picture [height, width, 3] of a reply; None where nothing is shown, or it is damaged."""
    try:
        data = np.frombuffer(base64.b64decode(str(reply.get("picture"))), np.uint8)
    except binascii.Error:
        return None
    found = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    return None if found is None else cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


def _jpeg(picture: Image) -> bytes:
    """With colours as fine as the light, because each pixel is seen."""
    data = b""
    for quality in QUALITIES:
        fine = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, *fine]
        data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)[1].tobytes()
        if len(data) <= MOST_BYTES:
            break
    return data
