"""GAGAvatar without released files: weights, FLAME, person and motion drawn from a seed."""

from __future__ import annotations

import numpy as np
import torch

from tests.parity import fill, gaga_synth
from vcam.flame.model import FlameModel
from vcam.media import FlameFace, Motion, frame_ticks
from vcam.nets.gagavatar import GagavatarConfig, GagavatarNet
from vcam.render.gagavatar.tracked import Tracked
from vcam.tensors.arrays import Numbers


def stand_in_net(config: GagavatarConfig, seed: int) -> GagavatarNet:
    """A network whose activations neither die nor saturate."""
    net = GagavatarNet(config).eval()
    state = net.state_dict()
    for name, value in state.items():
        mean, std = _spread(name, tuple(value.shape))
        state[name] = torch.from_numpy(fill.fill_array(name, tuple(value.shape), seed, mean, std))
    net.load_state_dict(state)
    return net


def _spread(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Mean and deviation for a parameter of this name and shape."""
    if name.endswith(("gamma", "modulation.bias")) or ("norm" in name and name.endswith("weight")):
        return 1.0, 0.1
    if name.endswith("bias") or shape == (1,):
        return 0.0, 0.05
    if "noises" in name or "constant_input" in name:
        return 0.0, 1.0
    if "resize_layers" in name and shape[-1] in (2, 4):  # transposed: no overlap between steps
        return 0.0, 1.0 / np.sqrt(shape[0])
    inputs = int(np.prod(shape[2 if len(shape) == 5 else 1 :]))
    return (1.0 if name.endswith("condition_scale") else 0.0), 1.0 / np.sqrt(max(inputs, 1))


def flame_asset(seed: int, vertices: int = gaga_synth.N_VERTS) -> Numbers:
    """Tensors in the published layout, random, of the first `vertices` alone."""
    asset = gaga_synth.flame_asset(seed)
    model = asset["flame_model"]
    for name in ("v_template", "shapedirs", "posedirs", "weights"):
        model[name] = model[name][:vertices]
    model["J_regressor"] = model["J_regressor"][:, :vertices]
    model["f"] = model["f"] % vertices
    return {
        part: {name: torch.from_numpy(value) for name, value in entries.items()}
        for part, entries in asset.items()
    }


def flame_model(seed: int, vertices: int = gaga_synth.N_VERTS) -> FlameModel:
    """A FLAME of the published layout, random."""
    return FlameModel.build(flame_asset(seed, vertices))


def person(seed: int) -> Tracked:
    """Somebody to draw."""
    entry = gaga_synth.tracked_entry(seed)
    names = ("image", "transform_matrix", "shapecode")
    return Tracked(*(torch.from_numpy(entry[name]) for name in names))


def motions(seed: int, count: int, fps: int = 25) -> list[Motion]:
    """`count` frames of motion."""
    return [
        Motion(index * frame_ticks(fps), row[100:103], FlameFace(row[:100], row[103:]))
        for index, row in enumerate(gaga_synth.motion(seed, count))
    ]
