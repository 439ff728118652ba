"""What one photo becomes, kept on disk: making it costs a large network, using it does not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vcam.errors import WeightsError
from vcam.nets.gagavatar import GagavatarNet
from vcam.render.gagavatar.tracked import Tracked
from vcam.render.splat.cloud import Cloud, covariances
from vcam.tensors.checkpoint import read_state

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """A person ready to be drawn: Gaussians, head first, and the camera of the photo."""

    cloud: Cloud  # the head's points are zero: FLAME puts them in their place for each frame
    head_points: int
    transform: Tensor  # [3, 4]
    shape: Tensor  # [S]

    @classmethod
    def prepare(cls, net: GagavatarNet, person: Tracked) -> Identity:
        """Run the network once; the result lies where the network does."""
        device = net.head_base.device
        with torch.inference_mode():
            made = net(person.image.to(device), person.transform.to(device))
            head = made.colours.new_zeros(net.config.head_points, 3)
            cloud = Cloud(
                torch.cat([head, made.plane_points]),
                covariances(made.scales, made.rotations),
                made.opacities[:, 0],
                made.colours,
            ).visible(keep=len(head))
        return cls(cloud, len(head), person.transform.to(device), person.shape.to(device))

    def save(self, path: Path) -> None:
        """Write it; the file appears whole or not at all."""
        from safetensors.torch import save_file

        tensors = {name: getattr(self.cloud, name) for name in Cloud.__slots__}
        tensors |= {"transform": self.transform, "shape": self.shape}
        tensors["head_points"] = torch.tensor(self.head_points)
        unfinished = path.with_suffix(".part")
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, unfinished)
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path, device: torch.device) -> Identity:
        """Read what `save` wrote. Raises `WeightsError`."""
        state = {name: value.to(device) for name, value in read_state(path).items()}
        try:
            cloud = Cloud(*(state[name] for name in Cloud.__slots__))
            return cls(cloud, int(state["head_points"]), state["transform"], state["shape"])
        except KeyError as error:
            raise WeightsError(f"{path} lacks {error}; delete it, it will be made anew") from error


def prepared(
    net: GagavatarNet, person: Tracked, cache: Path | None, device: torch.device
) -> Identity:
    """The identity from `cache`, or made by `net` on `device` and kept there."""
    if cache is not None and cache.is_file():
        return Identity.load(cache, device)
    # Once in a profile's life: TF32 would save milliseconds and change the face for good.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        identity = Identity.prepare(net.to(device), person)
    net.to("cpu")
    if device.type == "cuda":
        torch.cuda.empty_cache()  # the identity network's memory is wanted by the other stages
    if cache is not None:
        identity.save(cache)
    return identity


def cache_path(folder: Path, person: Tracked, weights: Path) -> Path:
    """Where a profile keeps its prepared identity: another photo or checkpoint, another name."""
    digest = hashlib.sha256(f"{_VERSION} {weights.name} {weights.stat().st_size}".encode())
    for tensor in (person.image, person.transform, person.shape):
        digest.update(tensor.contiguous().numpy().tobytes())
    return folder / f"gaussians-{digest.hexdigest()[:16]}.safetensors"
