"""Films of faces side by side that speak the same sound: what tables of jerk do not show."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vcam.camera.video_file import VideoFile
from vcam.media import AudioChunk, FloatArray, Frame, Image, frame_ticks

FPS = 25
PANEL, STRIP, LABEL = 360, 96, 34  # pixels
_SKIN, _INK, _LIP, _DARK = (236, 205, 180), (70, 60, 66), (196, 92, 96), (60, 20, 26)
_PAPER, _WAVE, _NOW = (248, 247, 244), (128, 140, 160), (214, 60, 60)
_FINE = 4  # bits of a pixel's fraction that OpenCV draws with


def film(path: Path, panels: dict[str, FloatArray], sound: FloatArray) -> None:
    """Write an MP4: each panel's iBUG points [T, 68, 2] as a face under its name, the sound [n] at
    16 kHz below as a waveform with the moment marked. Raises MediaError."""
    strip, frame = _waveform(sound, PANEL * len(panels)), frame_ticks(FPS)
    voice = np.interp(np.arange(3 * len(sound)) / 3, np.arange(len(sound)), sound)
    voice = voice.astype(np.float32)
    frames = min(len(points) for points in panels.values())
    with VideoFile(path, (PANEL * len(panels), PANEL + LABEL + STRIP), FPS) as record:
        for index in range(frames):
            faces = [_panel(name, points[index]) for name, points in panels.items()]
            now = strip.copy()
            cv2.line(now, *_at(index, frames, strip.shape[1]), _NOW, 2)
            at = index * frame
            record.hear(AudioChunk(at, voice[at : at + frame]))
            record.send(Frame(at, np.concatenate([np.concatenate(faces, 1), now])))


def _at(index: int, frames: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
    x = round(index / frames * (width - 1))
    return (x, 0), (x, STRIP - 1)


def _panel(name: str, points: FloatArray) -> Image:
    picture = np.full((PANEL + LABEL, PANEL, 3), _PAPER, np.uint8)
    picture[LABEL:] = _face(points)
    cv2.putText(picture, name, (12, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.6, _INK, 1, cv2.LINE_AA)
    return picture


def _face(points: FloatArray) -> Image:
    """iBUG's 68 points in -1..1 as a face."""
    picture = np.full((PANEL, PANEL, 3), _PAPER, np.uint8)
    at = np.round(((points * 0.42 + 0.5) * PANEL) * 2**_FINE).astype(np.int32)
    crown = np.linspace(0, np.pi, 12)[1:-1]
    middle, wide = (at[16] + at[0]) / 2, np.linalg.norm((at[16] - at[0]) / 2)
    arc = middle + wide * np.stack([np.cos(crown), -0.95 * np.sin(crown)], -1)
    head = np.concatenate([at[:17], np.round(arc).astype(np.int32)])
    _fill(picture, head, _SKIN, _INK)
    for eye in (at[36:42], at[42:48]):
        _fill(picture, eye, (255, 255, 255), _INK)
        _iris(picture, eye)
    _fill(picture, at[48:60], _LIP, _INK)
    _fill(picture, at[60:68], _DARK, _DARK)
    for line, wide_ in ((at[17:22], 4), (at[22:27], 4), (at[27:31], 2), (at[31:36], 2)):
        cv2.polylines(picture, [line], False, _INK, wide_, cv2.LINE_AA, _FINE)
    return picture


def _fill(
    picture: Image, shape: FloatArray, colour: tuple[int, ...], edge: tuple[int, ...]
) -> None:
    cv2.fillPoly(picture, [shape], colour, cv2.LINE_AA, _FINE)
    cv2.polylines(picture, [shape], True, edge, 2, cv2.LINE_AA, _FINE)


def _iris(picture: Image, eye: FloatArray) -> None:
    """A pupil as tall as the lids let it be seen."""
    open_ = (eye[[5, 4], 1] - eye[[1, 2], 1]).mean() / 2**_FINE
    radius = min(7.0, max(0.0, open_ / 2))
    if radius >= 1:
        x, y = eye.mean(0) / 2**_FINE
        cv2.circle(
            picture, (round(float(x)), round(float(y))), round(radius), _INK, -1, cv2.LINE_AA
        )


def _waveform(sound: FloatArray, width: int) -> Image:
    picture = np.full((STRIP, width, 3), _PAPER, np.uint8)
    loudest = max(float(np.abs(sound).max()), 1e-6)
    for x, part in enumerate(np.array_split(sound, width)):
        tall = round(0.46 * STRIP * float(np.abs(part).max()) / loudest)
        cv2.line(picture, (x, STRIP // 2 - tall), (x, STRIP // 2 + tall), _WAVE, 1)
    return picture
