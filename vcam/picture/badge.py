"""Disclosure: a small badge on the picture, and provenance in recorded files.

Whoever talks to an avatar should know it. The badge is on by default; it goes off only with a
recorded acknowledgement. Recorded files carry IPTC's digital source type besides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from vcam.errors import ConfigError
from vcam.media import FloatArray, Frame, Image
from vcam.system import opencv as cv2

CORNERS = ("bottom-left", "bottom-right", "top-left", "top-right")
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype"
LONGEST_TEXT = 40
_HEIGHT = 0.052  # of the picture's shorter side, at size 1
_MARGIN = 0.025
_DRAW = 4  # samples a pixel while drawing the badge
_INK, _PAPER, _COVER = (255, 255, 255), (18, 20, 26), 0.62


@dataclass(frozen=True, slots=True)
class Badge:
    """How the disclosure looks."""

    shown: bool = True
    text: str = "AI avatar"
    corner: str = "bottom-left"
    size: float = 1.0  # 0.6..3 times the usual
    hidden_by: str = ""  # who acknowledged that there is no badge, and when

    def __post_init__(self) -> None:
        if self.corner not in CORNERS:
            raise ConfigError(f"badge: corner {self.corner!r:.40} is none of {', '.join(CORNERS)}")
        if not 0.6 <= self.size <= 3.0:
            raise ConfigError(f"badge: size {self.size} is not within 0.6 and 3")
        if not self.text.strip() or len(self.text) > LONGEST_TEXT or not self.text.isprintable():
            raise ConfigError(f"badge: text must be 1 to {LONGEST_TEXT} printable characters")
        if not self.shown and not self.hidden_by.strip():
            raise ConfigError(
                "badge: to hide it, record who acknowledged that viewers are not told otherwise: "
                "vcam profile badge NAME --off --i-will-disclose-myself"
            )


class Stamp:
    """Puts the badge on frames of any size; a frame costs some microseconds."""

    def __init__(self, badge: Badge) -> None:
        self._badge = badge

    def __call__(self, frame: Frame) -> Frame:
        """The frame with the badge, its pixels in host memory; the given one is left as it is."""
        if not self._badge.shown:
            return frame
        pixels = frame.array().copy()
        colours, cover, top, left = _placed(self._badge, pixels.shape[0], pixels.shape[1])
        height, width = cover.shape[:2]
        under = pixels[top : top + height, left : left + width]
        under[:] = (under * (1 - cover) + colours * cover + 0.5).astype(np.uint8)
        return replace(frame, pixels=pixels)


def provenance(
    title: str,
    version: str,
    backends: Sequence[str],
    badge: Badge,
    consent: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What a recorded file says about itself: metadata keys and values for its container.

    `consent` is of the person in a film, where no profile records it.
    """
    kind = f"{SOURCE_TYPES}/{_source_type(backends)}"
    record = {
        "digital_source_type": kind,
        "synthetic_person": True,
        "generator": f"vcam {version}",
        "avatar": title,
        "backends": list(backends),
        "badge_shown": badge.shown,
    } | ({"consent": dict(consent)} if consent else {})
    return {
        "title": f"{title} (AI avatar)",
        "comment": f"AI avatar made with vcam {version}; the person shown did not film this.",
        "description": json.dumps(record, sort_keys=True),
    }


def _source_type(backends: Sequence[str]) -> str:
    """IPTC's name: neural renderers generate pixels, others compose them; "auto" may do either."""
    if "auto" in backends:
        return "compositeWithTrainedAlgorithmicMedia"
    neural = {"gagavatar", "flashavatar", "splattingavatar", "musetalk", "artalk"} & set(backends)
    return "trainedAlgorithmicMedia" if neural else "compositeSynthetic"


@cache
def _placed(badge: Badge, height: int, width: int) -> tuple[FloatArray, FloatArray, int, int]:
    """The badge's colours [h, w, 3], cover [h, w, 1], top and left in a picture."""
    side = min(height, width)
    tall = min(round(_HEIGHT * badge.size * side), height)
    colours, cover = _drawn(badge.text, max(8, tall), max(16, width - 2))
    margin = round(_MARGIN * side)
    room_y, room_x = height - cover.shape[0], width - cover.shape[1]
    top = min(margin, room_y) if "top" in badge.corner else max(0, room_y - margin)
    left = min(margin, room_x) if "left" in badge.corner else max(0, room_x - margin)
    return colours, cover, top, left


def _drawn(text: str, tall: int, widest: int) -> tuple[FloatArray, FloatArray]:
    """A rounded label of height `tall`, at most `widest` wide."""
    high = tall * _DRAW
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, round(0.40 * high), _DRAW)
    (length, rise), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, _DRAW)
    wide = length + high
    paper, ink = np.zeros((high, wide), np.uint8), np.zeros((high, wide), np.uint8)
    radius = high // 2
    cv2.circle(paper, (radius, radius), radius - 1, 255, -1)
    cv2.circle(paper, (wide - radius - 1, radius), radius - 1, 255, -1)
    cv2.rectangle(paper, (radius, 1), (wide - radius - 1, 2 * radius - 2), 255, -1)
    place = (radius, (high + rise) // 2)
    cv2.putText(ink, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, _DRAW, cv2.LINE_AA)
    size = (min(widest, max(1, round(wide / _DRAW))), tall)
    paper_, ink_ = (_small(layer, size) for layer in (paper, ink))
    cover = np.maximum(paper_ * _COVER, ink_)
    share = np.where(cover > 0, ink_ / np.maximum(cover, 1e-6), 0)
    colours = share * np.array(_INK) + (1 - share) * np.array(_PAPER)
    return colours.astype(np.float32), cover.astype(np.float32)


def _small(layer: Image, size: tuple[int, int]) -> FloatArray:
    shrunk = cv2.resize(layer, size, interpolation=cv2.INTER_AREA) / np.float32(255)
    return np.asarray(shrunk[..., None], np.float32)
