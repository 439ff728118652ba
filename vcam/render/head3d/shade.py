"""Light and pixels of the embedded avatar: camera, rasteriser, light ramp, layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vcam.media import FloatArray, Image
from vcam.render.head3d.canvas import FAR, Canvas
from vcam.render.head3d.eyes import IntArray
from vcam.system import opencv
from vcam.system.opencv import require_rasterizer

cv2: Any = opencv  # its stubs know neither shapes nor precision
DISTANCE = 9.0  # from the camera to the eyes
HEIGHT = 3.3  # units of the scene that the picture is high
CENTRE_Y = -0.12  # the scene's height at the picture's middle
KEY = np.array([-0.50, 0.55, 0.67], np.float32)
FILL = np.array([0.85, 0.10, 0.35], np.float32)
RIM = (96, 140, 205)  # the colour of the light from behind
RAMP_TOP = 1.35  # the brightest light; the ramp's bytes are in these units
SOFT = 0.02  # units of distance over which one thing goes behind another
SAMPLES = 1.5  # a pixel, in each direction
FINE = 700  # pixels of the picture's side from which one sample does, and edges are softened
LARGE = 900  # from which a quarter of the samples does for hair; in smaller ones steps are seen
EDGE = 0.035  # units of distance between neighbours that make an edge


@dataclass(frozen=True, slots=True)
class Layer:
    """A picture to lay over another: colours already multiplied by coverage."""

    colours: Image  # [h, w, 3]
    cover: Image  # [h, w]
    depth: FloatArray  # [h, w] distance from the camera, of the nearest around
    left: int
    top: int

    def raised(self, pixels: float) -> Layer:
        """The same, moved up by a part of a pixel or more; its bottom row is stretched."""
        shift = np.array([[1, 0, 0], [0, 1, -pixels]], np.float32)
        colours, cover, depth = (
            cv2.warpAffine(part, shift, part.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
            for part in (self.colours, self.cover, self.depth)
        )
        return Layer(colours, cover, depth, self.left, self.top)


def ramp() -> Image:
    """Light 0..255 to a colour to multiply by [256, 1, 3]: warm in the shade, white at the top."""
    steps = [0.0, 0.22, 0.45, 0.68, 0.86, 1.0]
    red = [0.34, 0.62, 0.92, 1.04, 1.09, 1.34]
    green = [0.20, 0.46, 0.78, 0.98, 1.05, 1.31]
    blue = [0.26, 0.48, 0.75, 0.94, 1.01, 1.27]
    at = np.linspace(0, 1, 256)
    table = np.stack([np.interp(at, steps, part) for part in (red, green, blue)], 1)
    return np.rint(table / RAMP_TOP * 255).astype(np.uint8)[:, None]


def light(normals: FloatArray, sky: FloatArray) -> FloatArray:
    """Light 0..1 on surfaces [n] with unit normals [n, 3]: a soft key, a weak fill, the sky."""
    key = normals @ (KEY / np.linalg.norm(KEY))
    fill = normals @ (FILL / np.linalg.norm(FILL))
    soft = np.clip(0.62 * key + 0.38, 0, 1)
    half = np.clip(key, 0, 1) ** 8  # a broad sheen
    diffuse = 0.12 + 0.62 * soft + 0.10 * np.clip(fill, 0, 1)
    return np.asarray(diffuse * (0.30 + 0.70 * sky) + 0.10 * half * sky, np.float32)


class Screen:
    """A camera before the avatar; it draws with several samples a pixel."""

    def __init__(self, size: int, atlas: Image, drop: float = 0.0) -> None:
        """`drop`: units that the chin lies lower than a child's, for which there must be room."""
        self.size, self._samples = size, SAMPLES if size < FINE else 1.0
        self._high, self._centre = HEIGHT + 0.9 * drop, CENTRE_Y - 0.55 * drop
        self._atlas = atlas
        self._scale = size / self._high * DISTANCE
        self._canvas = Canvas(2 * size, 2 * size)
        self._small = Canvas(size, size)
        self._ramp = ramp()
        require_rasterizer()
        self._settings = cv2.TriangleRasterizeSettings()
        self._settings.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
        self._settings.setCullingMode(cv2.RASTERIZE_CULLING_CW)

    def project(self, points: FloatArray) -> FloatArray:
        """Points [n, 3] -> pixels and distance [n, 3]."""
        away = DISTANCE - points[:, 2]
        out = np.empty_like(points)
        out[:, 0] = points[:, 0] / away * self._scale + self.size / 2
        out[:, 1] = (self._centre - points[:, 1]) / away * self._scale + self.size / 2
        out[:, 2] = away
        return out

    def pixels(self, length: float) -> float:
        """A length at the eyes' distance in pixels."""
        return length / self._high * self.size

    def draw(
        self,
        pixels: FloatArray,
        faces: IntArray,
        values: FloatArray,
        samples: float = 0.0,
        hair: IntArray | None = None,
    ) -> Layer:
        """Draw projected points [n, 3] with values [n, 3] (atlas x, y; light 0..1).

        `samples` a pixel, in each direction; 0: as many as a live frame affords. `hair` are
        triangles of one tile, for which a quarter of the samples does (`coarse`).
        """
        samples = samples or self._samples
        left, top, width, height = self._window(pixels)
        drawn, depth = self._canvas.cleared(round(samples * width), round(samples * height))
        self._rasterise(pixels, (left, top, width, height), faces, values, drawn, depth)
        if hair is not None and len(hair):
            self._draw_coarse(pixels, (left, top, samples), hair, values, drawn, depth)
        albedo, lit = self._canvas.looked_up(drawn, self._atlas)
        cover = cv2.compare(depth, 0.9 * FAR, cv2.CMP_LT)
        if samples == 1:
            return Layer(self._tint(albedo, lit, cover), cover, depth.copy(), left, top)
        albedo, cover, lit = (cv2.resize(full, (width, height)) for full in (albedo, cover, lit))
        near = cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST)
        return Layer(self._tint(albedo, lit, cover), cover, near, left, top)

    @property
    def coarse(self) -> bool:
        """Whether hair is drawn with a quarter of the samples: windows must have halves."""
        return self.size >= LARGE and self.size % 4 == 0

    def _draw_coarse(
        self,
        pixels: FloatArray,
        place: tuple[int, int, float],
        faces: IntArray,
        values: FloatArray,
        drawn: FloatArray,
        depth: FloatArray,
    ) -> None:
        """Draw into `drawn` and `depth`, whose corner and samples a pixel are given, in place.

        Places in the atlas and light change slowly over a lock, and what two locks mix where they
        meet is hair as well. Who is in front is decided for each pixel.
        """
        left, top, width, height = window = self._window(pixels[faces.ravel()])
        wide, high = round(place[2] * width), round(place[2] * height)
        few, near = self._small.cleared(wide // 2, high // 2)
        self._rasterise(pixels, window, faces, values, few, near)
        cover = cv2.compare(near, 0.9 * FAR, cv2.CMP_LT)
        _go_on(few, near, cover)
        cover = cv2.GaussianBlur(
            cover, (5, 5), 0, borderType=cv2.BORDER_CONSTANT
        )  # its half is a line without stairs
        few, near, cover = (cv2.resize(part, (wide, high)) for part in (few, near, cover))
        x, y = (
            round(place[2] * (at - corner)) for at, corner in zip((left, top), place, strict=False)
        )
        cut = slice(y, y + high), slice(x, x + wide)
        ahead = cv2.compare(near, depth[cut], cv2.CMP_LT)
        cv2.bitwise_and(ahead, cv2.compare(cover, 127, cv2.CMP_GT), dst=ahead)
        cv2.copyTo(few, ahead, drawn[cut])
        cv2.copyTo(near, ahead, depth[cut])

    def soften(self, picture: Image, layer: Layer) -> None:
        """Where a layer with one sample a pixel has edges, mix neighbours, in place."""
        if self._samples > 1:
            return
        h, w = layer.cover.shape
        part = picture[layer.top : layer.top + h, layer.left : layer.left + w]
        near = cv2.min(layer.depth, DISTANCE + EDGE * 100)  # where there is nothing: not too far
        edge = cv2.morphologyEx(near, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > EDGE
        soft = cv2.GaussianBlur(part, (3, 3), 0)
        cv2.copyTo(soft, edge.view(np.uint8), part)

    def _window(self, pixels: FloatArray) -> tuple[int, int, int, int]:
        """Left, top, width and height of what projected points may cover.

        All fours, or twos of a side that is no four, which keeps the samples at the same places of
        each pixel from frame to frame.
        """
        edges, step = [], 4 if self.size % 4 == 0 else 2
        for axis in (0, 1):
            line = np.ascontiguousarray(pixels[:, axis])
            low = int(np.clip(line.min() - 1, 0, self.size - step)) // step * step
            high = int(np.clip(line.max() + 1 + step, low + step, self.size)) // step * step
            edges.append((low, high - low))
        (left, width), (top, height) = edges
        return left, top, width, height

    def _rasterise(
        self,
        pixels: FloatArray,
        window: tuple[int, int, int, int],
        faces: IntArray,
        values: FloatArray,
        drawn: FloatArray,
        depth: FloatArray,
    ) -> None:
        left, top, width, height = window
        view = np.empty_like(pixels)  # undo the division that the rasteriser will do
        view[:, 0] = (pixels[:, 0] - (left + width / 2)) * (2 / height) * pixels[:, 2]
        view[:, 1] = ((top + height / 2) - pixels[:, 1]) * (2 / height) * pixels[:, 2]
        view[:, 2] = -pixels[:, 2]
        cv2.triangleRasterize(
            view[:, None], faces[:, None], values[:, None], drawn, depth,
            np.eye(4, dtype=np.float32), np.pi / 2, 1.0, FAR, self._settings,
        )  # fmt: skip

    def _tint(self, albedo: Image, lit: FloatArray, cover: Image) -> Image:
        """Light the colours; all three are averages over a pixel, of nothing where uncovered."""
        share = cv2.max(cover.astype(np.float32), 1.0)
        steps = cv2.convertScaleAbs(cv2.divide(lit, share), alpha=255 * 255)
        tint = cv2.LUT(cv2.merge([steps] * 3), self._ramp.reshape(1, 256, 3))
        return np.asarray(cv2.multiply(albedo, tint, scale=RAMP_TOP / 255))


def _go_on(values: FloatArray, depth: FloatArray, cover: Image) -> None:
    """Let values [h, w, 3] and depths go on by a pixel where nothing is, in place."""
    there = (cover > 0).astype(np.float32)
    depth *= there
    share = cv2.blur(there, (3, 3))
    rows, columns = np.nonzero((cover == 0) & (share > 0.05))
    scale = 1 / share[rows, columns]
    values[rows, columns] = cv2.blur(values, (3, 3))[rows, columns] * scale[:, None]
    depth[rows, columns] = cv2.blur(depth, (3, 3))[rows, columns] * scale


def rim_light(layer: Layer, strength: float) -> None:
    """A cool light from behind on a layer's right edge, in place: where the cover ends nearby."""
    height, width = layer.cover.shape
    reach = max(2.0, 0.022 * width)
    scale = 2 if width >= FINE / 2 else 1  # nothing of it is sharp but the cover itself
    small = cv2.resize(layer.cover, (width // scale, height // scale), interpolation=cv2.INTER_AREA)
    there = reach / scale
    shifted = cv2.warpAffine(
        small, np.array([[1, 0, -there], [0, 1, 0.35 * there]], np.float32),
        small.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
    )  # fmt: skip
    inner = cv2.blur(shifted, (max(2, round(there)),) * 2)
    if scale > 1:
        inner = cv2.resize(inner, (width, height))
    edge = cv2.subtract(layer.cover, inner)
    glow = [cv2.convertScaleAbs(edge, alpha=strength * part / 255) for part in RIM]
    cv2.add(layer.colours, cv2.merge(glow), dst=layer.colours)


def tuck(layer: Layer, other: Layer) -> None:
    """Hide what of a layer lies behind another, in place; the border is soft."""
    low = np.maximum([layer.left, layer.top], [other.left, other.top])
    high = np.minimum(
        [layer.left + layer.cover.shape[1], layer.top + layer.cover.shape[0]],
        [other.left + other.cover.shape[1], other.top + other.cover.shape[0]],
    )
    if (low >= high).any():
        return
    mine, theirs = (
        (slice(low[1] - one.top, high[1] - one.top), slice(low[0] - one.left, high[0] - one.left))
        for one in (layer, other)
    )
    ahead = cv2.subtract(other.depth[theirs], cv2.erode(layer.depth[mine], np.ones((3, 3))))
    share = cv2.convertScaleAbs(cv2.max(ahead, -SOFT) + SOFT, alpha=255 / (2 * SOFT))
    layer.cover[mine] = cv2.multiply(layer.cover[mine], share, scale=1 / 255)
    layer.colours[mine] = cv2.multiply(layer.colours[mine], cv2.merge([share] * 3), scale=1 / 255)


def lay(picture: Image, layer: Layer) -> None:
    """Lay a layer over a picture [h, w, 3], in place."""
    h, w = layer.cover.shape
    under = picture[layer.top : layer.top + h, layer.left : layer.left + w]
    through = cv2.merge([cv2.bitwise_not(layer.cover)] * 3)
    cv2.add(cv2.multiply(under, through, scale=1 / 255), layer.colours, dst=under)
