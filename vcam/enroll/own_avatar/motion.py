"""What a tracked clip gives to other faces: how the person rests, and the style they speak in.

Both are proposals of this project. The style's statistics are matched to those of the motion that
ARTalk was trained on, because another tracker measured that.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vcam.enroll.own_avatar.frames import Clip
from vcam.render.avatars import turns

FPS = 25
STYLE = 50  # frames
_IDLE = (6 * FPS, 12 * FPS)  # frames: at least, at most
_FADE = FPS // 2  # frames over which the end of the idle clip becomes its beginning
_SLOW = {"expression": 2.0, "head": 1.5}  # Hz
# Of the motion that ARTalk was trained on: mean and deviation of jaw opening, of head rotations.
_JAW = (0.066, 0.049)
_HEAD = (0.07, 0.13, 0.07)
_FAR = 3.0  # deviations


def motion_of(clip: Clip) -> dict[str, Tensor]:
    """`shape` [300]; `style` [50, 106] and `idle` [T, 103] where the clip is long enough."""
    made = {"shape": clip.shape}
    head = torch.stack([turns.axis_angle(turn) for turn in clip.head])
    jaw = torch.stack([turns.axis_angle(turn) for turn in turns.from_six(clip.jaw)])
    if len(head) >= STYLE:
        made["style"] = style(clip.expression, head, jaw)
    if len(head) >= _IDLE[0]:
        made["idle"] = idle(clip.expression, head, jaw)
    return made


def style(expression: Tensor, head: Tensor, jaw: Tensor) -> Tensor:
    """The liveliest two seconds as ARTalk's own motion, [50, 106]."""
    energy = jaw[:, 0].unfold(0, STYLE, 1).var(1) + expression.unfold(0, STYLE, 1).var(2).sum(1)
    start = int(energy.argmax())
    within = slice(start, start + STYLE)
    still = torch.zeros(STYLE, 1)
    opened = _matched(jaw[:, :1], torch.tensor([_JAW[0]]), torch.tensor([_JAW[1]]))
    turned = _matched(head, torch.zeros(3), torch.tensor(_HEAD))
    spoken = _matched(expression, expression.mean(0), expression.std(0))
    parts = [spoken[within], turned[within], opened[within], still, still]
    return torch.cat(parts, 1).float().contiguous()


def _matched(values: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
    """Channels [T, k] with another mean and deviation, held within three of them."""
    own = values.std(0)
    unit = torch.where(own > 1e-6, (values - values.mean(0)) / own.clamp_min(1e-6), 0.0)
    return mean + spread * unit.clamp(-_FAR, _FAR)


def idle(expression: Tensor, head: Tensor, jaw: Tensor) -> Tensor:
    """The quietest seconds, slow and closed to a loop: deviations of expression, head, [T, 103]."""
    length = min(_IDLE[1], len(head) - len(head) % FPS)
    start = quietest(head.numpy(), jaw.numpy(), length)
    within = slice(start, start + length)
    face = _slow(expression[within].numpy(), _SLOW["expression"])
    turned = _slow(head[within].numpy(), _SLOW["head"])
    row = np.concatenate([face - face.mean(0), turned - turned.mean(0)], 1)
    return torch.from_numpy(_looped(row).astype(np.float32))


def quietest(head: NDArray[np.float32], jaw: NDArray[np.float32], length: int) -> int:
    """Where the `length` frames begin in which jaw and head move least."""
    moving = np.abs(np.diff(head, axis=0)).sum(1) + 2 * np.abs(jaw[1:, 0] - jaw[:, 0].min())
    total = np.cumsum(np.concatenate([[0.0], moving, [0.0]]))
    return int(np.argmin(total[length:] - total[:-length])) if len(total) > length else 0


def _slow(values: NDArray[np.float32], hertz: float) -> NDArray[np.float64]:
    """Without what is faster, by a Gaussian of that corner; the ends are held."""
    sigma = FPS / (2 * np.pi * hertz)
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(values.astype(np.float64), ((reach, reach), (0, 0)), mode="edge")
    columns = [np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T]
    return np.stack(columns, 1)


def _looped(row: NDArray[np.float64]) -> NDArray[np.float64]:
    """The last half second fades into what came before the first frame: no jump where it ends."""
    share = np.linspace(0, 1, _FADE + 2)[1:-1, None]
    out = row[_FADE:].copy()
    out[-_FADE:] = (1 - share) * out[-_FADE:] + share * row[:_FADE]
    return out
