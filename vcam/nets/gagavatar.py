"""GAGAvatar: one photo of a face -> Gaussians that follow FLAME, and their neural renderer.

Paper: Chu and Harada, "Generalizable and Animatable Gaussian Head Avatar" (NeurIPS 2024).
Upstream: xg-chu/GAGAvatar (MIT), checkpoint `GAGAvatar.pt`, entry `model`. Parts: DINOv2
(`dinov2.py`), dense head and Gaussian generators (here), StyleUNet (`styleunet.py`). Splatting
stands between the generators and the StyleUNet and is no network: see `vcam.render.splat`.

Two habits of the original look like slips, but the weights were trained with them: the "global"
feature is the top-left patch token, and the plane colours' sigmoid falls on grid columns 0 to 2
instead of on channels 0 to 2. A third: head quaternions are normalised over the points, not per
point, so they are tiny and must not be normalised again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize, relu

from vcam.nets.dinov2 import DinoConfig, DinoV2
from vcam.nets.styleunet import StyleUnet, StyleUnetConfig
from vcam.tensors.checkpoint import hollow, load_strict, read_state

FOCAL = 12.0  # of the camera, in half picture widths
COLOURS = 32
_DIRECTION = 27  # numbers that encode a viewing direction
_PLANE = (COLOURS, 1, 3, 4, 1)  # channels of a plane: colour, opacity, scale, rotation, offset
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class GagavatarConfig:
    """Sizes of the network; the default is the released one."""

    dino: DinoConfig = field(default_factory=DinoConfig)
    projects: tuple[int, int, int, int] = (256, 512, 1024, 1024)
    dense: int = 256  # channels of the dense head
    head_points: int = 5023  # vertices of FLAME
    head_width: int = 256
    plane_width: int = 128
    renderer: StyleUnetConfig = field(default_factory=StyleUnetConfig)

    @property
    def plane(self) -> int:
        """Gaussians along each side of a plane."""
        return 8 * self.dino.grid

    @property
    def points(self) -> int:
        """Gaussians in all: head, front plane, back plane."""
        return self.head_points + 2 * self.plane**2

    @classmethod
    def small(cls, head_points: int = 5023) -> GagavatarConfig:
        """A network of the same form that a test builds and runs in a moment on a CPU."""
        return cls(
            dino=DinoConfig(width=24, depth=5, heads=2, grid=3),
            projects=(8, 12, 16, 16),
            dense=16,
            head_points=head_points,
            head_width=16,
            plane_width=12,
            renderer=StyleUnetConfig(style=24, body=(16, 12, 8, 8), decoder=(24, 24, 16, 16)),
        )


@dataclass(frozen=True, slots=True)
class Gaussians:
    """What one photo becomes: head points first, then front and back plane, rows first."""

    plane_points: Tensor  # [2 * P * P, 3] in FLAME metres times 5; the head's come from FLAME
    colours: Tensor  # [N, 32]
    opacities: Tensor  # [N, 1], 0..1
    scales: Tensor  # [N, 3]
    rotations: Tensor  # [N, 4] w, x, y, z; used as they are, never normalised


class GagavatarNet(nn.Module):
    """Photo -> Gaussians once for an identity; splatted features -> picture for each frame."""

    def __init__(self, config: GagavatarConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GagavatarConfig()
        self.head_base = nn.Parameter(torch.zeros(config.head_points, config.dense))
        self.base_model = DenseHead(config)
        self.gs_generator_g = HeadGenerator(config)
        self.gs_generator_l0 = PlaneGenerator(config)
        self.gs_generator_l1 = PlaneGenerator(config)
        self.upsampler = StyleUnet(config.renderer)

    @classmethod
    def load(cls, path: Path, config: GagavatarConfig | None = None) -> GagavatarNet:
        """The network with the weights of a released checkpoint.

        Raises `WeightsError` when the file is missing, unsafe, or of another model.
        """
        entry = None if path.suffix == ".safetensors" else "model"
        state = read_state(path, entry=entry)
        kept = {name: value for name, value in state.items() if "percep_loss" not in name}
        with hollow():
            net = cls(config)
        load_strict(net, kept, f"{path.name} (GAGAvatar)")
        return net.eval()

    def forward(self, photo: Tensor, transform: Tensor) -> Gaussians:
        """photo [3, S, S] RGB 0..1, transform [3, 4] its camera [R | T] -> Gaussians.

        The camera is in pytorch3d's convention: row vectors, x left, y up, z into the scene.
        """
        normal = self.normalised(photo)
        feature, top_left = self.base_model(normal)
        rotation, translation = transform[:, :3], transform[:, 3]
        direction = encode_direction(rotation[:, 2])
        head = self.gs_generator_g(self.head_base, top_left, direction)
        planes = [
            generator(feature, direction)
            for generator in (self.gs_generator_l0, self.gs_generator_l1)
        ]
        points = plane_points(rotation, translation, self.config.plane)
        shift = [rotation[:, 2] * plane.offset for plane in planes]
        return Gaussians(
            torch.cat([points + shift[0], points - shift[1]]),
            *(
                torch.cat([getattr(part, name) for part in (head, *planes)])
                for name in ("colours", "opacities", "scales", "rotations")
            ),
        )

    def resized(self, photo: Tensor) -> Tensor:
        """photo [3, S, S], 0..1 -> [1, 3, side, side], the backbone's size."""
        side = self.config.dino.image_size
        return _shrink(photo[None], side)

    def normalised(self, photo: Tensor) -> Tensor:
        """photo [3, S, S], 0..1 -> resized, with ImageNet's mean and deviation."""
        mean, std = (photo.new_tensor(values)[:, None, None] for values in (_MEAN, _STD))
        return (self.resized(photo) - mean) / std


@dataclass(frozen=True, slots=True)
class Part:
    """The Gaussians of one generator, activated, as lists; `offset` [n, 1] for planes."""

    colours: Tensor
    opacities: Tensor
    scales: Tensor
    rotations: Tensor
    offset: Tensor


class DenseHead(nn.Module):
    """DINOv2 tokens of four depths, fused into one map (after Ranftl et al., DPT, 2021)."""

    def __init__(self, config: GagavatarConfig) -> None:
        super().__init__()
        self.dino_model = DinoV2(config.dino)
        first, second, _, last = widths = config.projects
        self.projects = nn.ModuleList(nn.Conv2d(config.dino.width, width, 1) for width in widths)
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(first, first, 4, stride=4),
                nn.ConvTranspose2d(second, second, 2, stride=2),
                nn.Identity(),
                nn.Conv2d(last, last, 3, stride=2, padding=1),
            ]
        )
        self.layer_rn = nn.ModuleList(
            nn.Conv2d(width + 3, config.dense, 3, padding=1, bias=False) for width in widths
        )
        self.refinenet = nn.ModuleList(Fusion(config.dense) for _ in widths)
        self.output_conv = nn.Conv2d(config.dense, config.dense, 3, padding=1)

    def forward(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        """photo [1, 3, S, S] normalised -> map [1, dense, P, P] and top-left token [width]."""
        tokens: list[Tensor] = self.dino_model(photo)
        maps = [self._map(index, token, photo) for index, token in enumerate(tokens)]
        feat = maps[3]
        for index, fusion in enumerate(self.refinenet):
            skip = maps[3 - index] if index else None
            size = maps[2 - index].shape[-1] if index < 3 else 2 * maps[0].shape[-1]
            feat = fusion(feat, skip, size)
        return self.output_conv(feat), tokens[-1][0, 0]

    def _map(self, index: int, tokens: Tensor, photo: Tensor) -> Tensor:
        grid = math.isqrt(tokens.shape[1])
        feat = tokens.transpose(1, 2).unflatten(2, (grid, grid))
        feat = self.resize_layers[index](self.projects[index](feat))
        out: Tensor = self.layer_rn[index](torch.cat([_shrink(photo, feat.shape[-1]), feat], 1))
        return out


class Fusion(nn.Module):
    """Add a finer map to a coarser one and bring the sum to the next size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # The first fusion has no finer map; its resConfUnit1 is in the checkpoint all the same.
        self.resConfUnit1 = ResidualUnit(channels)
        self.resConfUnit2 = ResidualUnit(channels)
        self.out_conv = nn.Conv2d(channels, channels, 1)

    def forward(self, feat: Tensor, skip: Tensor | None, size: int) -> Tensor:
        """feat and skip [B, C, s, s] -> [B, C, size, size]."""
        if skip is not None:
            feat = feat + self.resConfUnit1(skip)
        feat = self.resConfUnit2(feat)
        feat = interpolate(feat, (size, size), mode="bilinear", align_corners=True)
        out: Tensor = self.out_conv(feat)
        return out


class ResidualUnit(nn.Module):
    """Two convolutions around ReLUs, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, feat: Tensor) -> Tensor:
        """feat [B, C, s, s] -> the same shape."""
        out: Tensor = feat + self.conv2(relu(self.conv1(relu(feat))))
        return out


class HeadGenerator(nn.Module):
    """One Gaussian for each FLAME vertex."""

    def __init__(self, config: GagavatarConfig) -> None:
        super().__init__()
        width = config.head_width
        layers: list[nn.Module] = [nn.Linear(config.dense + config.dino.width, width)]
        for _ in range(3):
            layers += [nn.ReLU(), nn.Linear(width, width)]
        self.feature_layers = nn.Sequential(*layers)
        self.color_layers = _two_layers(width + _DIRECTION, config.plane_width, COLOURS)
        self.opacity_layers = _two_layers(width + _DIRECTION, config.plane_width, 1)
        self.scale_layers = _two_layers(width + _DIRECTION, config.plane_width, 3)
        self.rotation_layers = _two_layers(width + _DIRECTION, config.plane_width, 4)

    def forward(self, base: Tensor, top_left: Tensor, direction: Tensor) -> Part:
        """base [V, dense], top_left [dino width], direction [27] -> V Gaussians."""
        count = len(base)
        feat = self.feature_layers(torch.cat([base, top_left.expand(count, -1)], 1))
        feat = torch.cat([feat, direction.expand(count, -1)], 1)
        colours = self.color_layers(feat)
        return Part(
            torch.cat([colours[:, :3].sigmoid(), colours[:, 3:]], 1),
            self.opacity_layers(feat).sigmoid(),
            0.05 * self.scale_layers(feat).sigmoid(),
            normalize(self.rotation_layers(feat), dim=0),  # over the points: as trained
            torch.zeros_like(colours[:, :1]),
        )


class PlaneGenerator(nn.Module):
    """One Gaussian for each cell of a plane through the head, facing the photo's camera."""

    def __init__(self, config: GagavatarConfig) -> None:
        super().__init__()
        width = config.plane_width
        layers: list[nn.Module] = []
        for source in (config.dense + _DIRECTION, width, width):
            layers += [nn.Conv2d(source, width, 3, padding=1), nn.ReLU()]
        self.gaussian_conv = nn.Sequential(*layers, nn.Conv2d(width, sum(_PLANE), 1))

    def forward(self, feature: Tensor, direction: Tensor) -> Part:
        """feature [1, dense, P, P], direction [27] -> P * P Gaussians, rows first."""
        code = direction[None, :, None, None].expand(-1, -1, *feature.shape[-2:])
        maps = self.gaussian_conv(torch.cat([feature, code], 1))[0]
        colours, opacity, scale, rotation, offset = maps.split(_PLANE)
        # Meant for channels 0..2, this sigmoid falls on grid columns 0..2: as trained.
        colours = torch.cat([colours[..., :3].sigmoid(), colours[..., 3:]], -1)
        return Part(
            _rows(colours),
            _rows(opacity.sigmoid()),
            _rows(0.05 * scale.sigmoid()),
            _rows(normalize(rotation, dim=0)),
            _rows(offset.sigmoid()),
        )


def encode_direction(direction: Tensor) -> Tensor:
    """direction [3] -> [27]: sines and cosines at four octaves, then the direction itself."""
    octaves = 2.0 ** torch.arange(4, device=direction.device, dtype=direction.dtype)
    angles = (direction[:, None] * octaves).flatten()
    return torch.cat([angles.sin(), (angles + math.pi / 2).sin(), direction])


def plane_points(rotation: Tensor, translation: Tensor, side: int) -> Tensor:
    """Grid points [side * side, 3] of the plane through the origin that faces the camera."""
    origin = -rotation @ translation
    distance = (origin @ rotation[:, 2]).abs()
    steps = torch.linspace(1, -1, side, device=rotation.device, dtype=rotation.dtype)
    down, across = torch.meshgrid(steps, steps, indexing="ij")
    rays = torch.stack([across / FOCAL, down / FOCAL, torch.ones_like(down)], -1).view(-1, 3, 1)
    # One small product for each ray, as upstream: the order of splats hangs on the last bits.
    return origin + distance * torch.matmul(rotation[None], rays)[..., 0]


def _two_layers(source: int, hidden: int, target: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(source, hidden), nn.ReLU(), nn.Linear(hidden, target))


def _rows(maps: Tensor) -> Tensor:
    """maps [C, H, W] -> [H * W, C]."""
    return maps.permute(1, 2, 0).flatten(0, 1)


def _shrink(image: Tensor, side: int) -> Tensor:
    return interpolate(image, (side, side), mode="bilinear", align_corners=False, antialias=True)
