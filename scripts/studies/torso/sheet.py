#!/usr/bin/env python3
"""Show a head turned over shoulders that stay: scripts/studies/torso/sheet.py PHOTO --to FILE

A portrait is turned whole, shoulders included, as GAGAvatar turns what it makes of one photo, and
put over the still layer: eight poses before the photo's own room, or another (--background). Look
at the collar. With --time it says what the layer costs, processor milliseconds of one thread.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import numpy as np
import torch
from torch import Tensor

from vcam.enroll.enroll import prepare
from vcam.media import FloatArray, Image
from vcam.photo.enrolled import EnrolledPhoto, read_enrolled_photo
from vcam.photo.landmarks import IBUG
from vcam.photo.picture import read_picture
from vcam.photo.torso import read_torso
from vcam.render.puppet.body import _turn
from vcam.render.puppet.renderer import PuppetRenderer
from vcam.render.torso.breath import sway
from vcam.render.torso.layer import TorsoLayer
from vcam.render.torso.opening import Shoulders
from vcam.render.torso.stance import Stance, eye_distance
from vcam.system import opencv as cv2

SIZE = 512
POSES = ((0, 0, 0), (0, 15, 0), (0, -15, 0), (12, 0, 0), (-12, 0, 0), (0, 0, 12), (0, 0, -12),
         (6, 12, 5))  # fmt: skip  # degrees: nod, turn, tilt
CHIN, LONG = 152, 0.9  # the point, and a neck's length in eye distances


class Whole:
    """A portrait that turns as one piece about the base of its neck."""

    def __init__(self, photo: EnrolledPhoto) -> None:
        puppet = PuppetRenderer(photo, SIZE, np.zeros((SIZE, SIZE, 3), np.uint8))
        self._body, self._texture, self._drawing = puppet._body, puppet._texture, puppet._drawing
        self._body._share[:] = 1
        chin, pivot = photo.resized(SIZE).points[CHIN], self._body._pivot
        unit = self._body.unit
        top = np.array([(pivot[0] + chin[0]) / 2, chin[1], pivot[2] + 0.15 * unit], np.float32)
        self._neck = np.stack([top, top + np.array([0, LONG * unit, 0], np.float32)])

    def draw(self, degrees: tuple[float, float, float]) -> tuple[Tensor, Tensor, Tensor]:
        """Colours and cover [4, S, S], landmarks [68, 2], the top of the neck's axis [2]."""
        head, weights = np.radians(degrees).astype(np.float32), np.zeros(52, np.float32)
        posed = self._body.pose(weights, head)
        top, base = self._body._turned(self._neck, _turn(head))
        away = (base - self._neck[1])[:2]
        texture = self._texture.paint(posed.face, weights, head)
        places = posed.points - np.array([*away, 0], np.float32)
        drawn = self._drawing.draw(places, self._body.smooth, posed.uv, texture)
        pixels = torch.from_numpy(drawn).float().permute(2, 0, 1).contiguous() / 255
        marks = torch.from_numpy(posed.seen[list(IBUG), :2] - away)
        return pixels, marks, torch.from_numpy(top[:2] - away)


def main() -> int:
    """Write the sheet; 0."""
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(read_picture(options.photo)).prepared.write(folder)
        whole, torso = Whole(read_enrolled_photo(folder)), read_torso(folder / "portrait.png")
        room = torso.resized(SIZE).square.room(options.background, folder)
    _, marks, neck = whole.draw((0, 0, 0))
    rest = Stance.of(marks, neck)
    layer = TorsoLayer(Shoulders(torso, room), rest, eye_distance(marks), torch.device("cpu"))
    shown = [_over(layer, whole, pose, 10_000 * at) for at, pose in enumerate(POSES)]
    sheet = np.concatenate([np.concatenate(shown[:4], 1), np.concatenate(shown[4:], 1)])
    cv2.imwrite(str(options.to), np.ascontiguousarray(sheet[..., ::-1]))
    if options.time:
        print(_costs(layer, whole))
    return 0


def _over(layer: TorsoLayer, whole: Whole, pose: tuple[float, float, float], at: int) -> Image:
    pixels, marks, neck = whole.draw(pose)
    swayed = torch.from_numpy(sway(at, SIZE))
    frame = layer.over(pixels[:3], pixels[3], Stance.of(marks, neck), swayed)
    return np.asarray((255 * frame.clamp(0, 1)).byte().permute(1, 2, 0).numpy())


def _costs(layer: TorsoLayer, whole: Whole) -> str:
    pixels, marks, neck = whole.draw(POSES[1])
    stance, still, room = Stance.of(marks, neck), torch.zeros(2), torch.rand(3, SIZE, SIZE)
    head, cover = pixels[:3].contiguous(), pixels[3].contiguous()
    torch.set_num_threads(1)
    with torch.inference_mode():
        over = _least(lambda: layer.over(head, cover, stance, still))
        plain = _least(lambda: head + (1 - cover) * room)
    return f"{SIZE}: the layer {over:.1f} ms, a plain background {plain:.1f} ms"


def _least(run: Callable[[], object], times: int = 25) -> float:
    spent: FloatArray = np.zeros(times, np.float32)
    for index in range(times):
        began = time.process_time()
        run()
        spent[index] = time.process_time() - began
    return 1000 * float(spent.min())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--background", default="keep")
    parser.add_argument("--time", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
