"""What GAGAvatar is compared with: stored tensors, and the person and weights of their seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from tests.parity import fill, gaga_synth
from tests.parity.report import Report
from vcam.flame.model import JAW, FlameHead, FlameModel
from vcam.nets.gagavatar import GagavatarNet
from vcam.tensors.checkpoint import load_strict

SIZE = 512


@dataclass
class Reference:
    """The tensors of one file and the seed they were made with."""

    seed: int
    digest: str
    tensors: dict[str, Tensor]

    @classmethod
    def open(cls, folder: Path, name: str, report: Report) -> Reference | None:
        """The file, or None with a failed row when it is not there."""
        path = folder / f"{name}.safetensors"
        report.heading(name)
        if not path.is_file():
            report.missing(name)
            return None
        with safe_open(path, "pt") as file:
            info = json.loads(file.metadata()["info"])
        return cls(int(info["seed"]), info.get("filled_sha256", ""), load_file(path))

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def under(self, prefix: str) -> Iterator[str]:
        """Names that start with `prefix`."""
        return (name for name in self.tensors if name.startswith(prefix))


def flame_head(seed: int, device: str, scale: float) -> FlameHead:
    """The synthetic person of `seed` on the synthetic FLAME of `seed`."""
    asset = {
        part: {name: torch.from_numpy(value) for name, value in entries.items()}
        for part, entries in gaga_synth.flame_asset(seed).items()
    }
    shape = torch.from_numpy(gaga_synth.tracked_entry(seed)["shapecode"])
    return FlameHead(FlameModel.build(asset), shape, scale).to(device)


def motion_of(seed: int, device: str) -> Tensor:
    return torch.from_numpy(gaga_synth.motion(seed, 6)).to(device)


def mesh(head: FlameHead, row: Tensor) -> Tensor:
    """The mesh of one motion row, as GAGAvatar poses it: jaw and expression alone."""
    rotations = row.new_zeros(5, 3)
    rotations[JAW] = row[103:]
    return head(row[:100], rotations)


def filled_net(folder: Path, ref: Reference, report: Report, device: str) -> GagavatarNet:
    """The full network with the stand-in weights of the reference, its keys checked."""
    state = _filled(folder / "gagavatar.manifest.json", ref.seed)
    report.equal("filled weights (sha256)", fill.state_digest(state), ref.digest)
    net = GagavatarNet()
    report.equal("state keys", sorted(net.state_dict()), sorted(state))
    load_strict(net, dict(state), "the filled state")
    return net.eval().to(device)


@lru_cache(maxsize=1)
def _filled(manifest: Path, seed: int) -> dict[str, Tensor]:
    """170 million numbers: drawn once for all files of a seed."""
    return fill.fill_state_dict(fill.load_manifest(manifest), seed)
