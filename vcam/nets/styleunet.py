"""StyleUNet: 32 splatted feature channels -> an RGB picture of the same size.

Paper: Chu and Harada, "Generalizable and Animatable Gaussian Head Avatar" (NeurIPS 2024), neural
renderer; its layers come from GFPGAN (Wang et al., 2021) and StyleGAN2 (Karras et al., 2020).
Upstream: xg-chu/GAGAvatar, checkpoint keys `upsampler.*`. Despite that name nothing is enlarged.

Convolutions are modulated on their input and demodulated on their output, with constant weights:
conv(x * s) * d equals the paper's conv with weights w * s * d, and weights can stay in half
precision and channels-last. `fold` precomputes what does not depend on the input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, leaky_relu

Noise: TypeAlias = Literal["stored", "fresh", "none"]


class Convolve(Protocol):
    """A 3 x 3 convolution and what follows it."""

    def __call__(
        self,
        feat: Tensor,
        weight: Tensor,
        bias: Tensor,
        slope: float = 1.0,
        noise: Tensor | None = None,
        strength: Tensor | None = None,
        times: Tensor | None = None,
        plus: Tensor | None = None,
    ) -> Tensor:
        """feat [B, in, s, s] -> [B, out, s, s]: convolved, + bias [out], + noise [.., s, s] *
        strength [], what is negative times `slope`, * times, + plus, each as far as it is given."""
        ...


def convolved(
    feat: Tensor,
    weight: Tensor,
    bias: Tensor,
    slope: float = 1.0,
    noise: Tensor | None = None,
    strength: Tensor | None = None,
    times: Tensor | None = None,
    plus: Tensor | None = None,
) -> Tensor:
    """See `Convolve`; one step after the other."""
    out = conv2d(feat, weight, bias, padding=1)
    if noise is not None and strength is not None:
        out = out + noise * strength
    out = out if slope == 1.0 else leaky_relu(out, slope)
    out = out if times is None else out * times
    return out if plus is None else out + plus


class Narrow(nn.Module):
    """A layer that may be given another way to convolve: few channels on a large map."""

    convolve: Convolve | None = None

    def extra_repr(self) -> str:
        """What its weights do not tell; kept kernels are named by it."""
        return "" if self.convolve is None else "its own convolution"


@dataclass(frozen=True, slots=True)
class StyleUnetConfig:
    """Sizes of a StyleUNet; channel tuples run from 4 x 4 upwards, doubling.

    Above 4 x 4 the decoder is twice as wide as the body, which scales and shifts it.
    """

    features: int = 32
    style: int = 512
    body: tuple[int, ...] = (256, 256, 256, 256, 128, 64, 32, 16)
    decoder: tuple[int, ...] = (512, 512, 512, 512, 256, 128, 64, 32)

    @property
    def levels(self) -> int:
        """Doublings between 4 x 4 and the full size."""
        return len(self.body) - 1

    @property
    def size(self) -> int:
        """Pixels along each side of input and output."""
        return 4 << self.levels


@dataclass(frozen=True, slots=True)
class Stages:
    """What passes between the two halves, for comparing a port stage by stage."""

    style_code: Tensor  # [B, style]
    scales: list[Tensor]  # [B, 2c, s, s] from the smallest map to the full size
    shifts: list[Tensor]


class StyleUnet(nn.Module):
    """A U-Net whose lower end gives the style and whose upper end steers a StyleGAN2 decoder."""

    def __init__(self, config: StyleUnetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or StyleUnetConfig()
        body, top = config.body, config.body[-1]
        self.conv_body_first = nn.Conv2d(config.features, top, 1)
        down = list(reversed(body))
        self.conv_body_down = nn.ModuleList(ResBlock(*pair, 0.5) for pair in pairwise(down))
        self.final_conv = nn.Conv2d(body[0], body[0], 3, padding=1)
        self.final_linear = nn.Linear(body[0] * 16, config.style)
        self.conv_body_up = nn.ModuleList(ResBlock(*pair, 2.0) for pair in pairwise(body))
        self.condition_scale = nn.ModuleList(Condition(width) for width in body[1:])
        self.condition_shift = nn.ModuleList(Condition(width) for width in body[1:])
        # In the checkpoint for an auxiliary training loss; never used here.
        self.toRGB = nn.ModuleList(nn.Conv2d(width, 3, 1) for width in body[1:])
        self.stylegan_decoder = StyleDecoder(config)

    def forward(self, features: Tensor, noise: Noise = "stored") -> Tensor:
        """features [B, F, size, size] -> picture [B, 3, size, size], 0..1."""
        return torch.sigmoid(self.logits(features, noise))

    def logits(self, features: Tensor, noise: Noise = "stored") -> Tensor:
        """The picture before its sigmoid."""
        stages = self.encode(features)
        out: Tensor = self.stylegan_decoder(stages, noise)
        return out

    def encode(self, features: Tensor) -> Stages:
        """features [B, F, size, size] -> style code and what steers each decoder level."""
        assert features.shape[1:] == (self.config.features, *(self.config.size,) * 2), (
            features.shape
        )
        feat = _lrelu(self.conv_body_first(features))
        kept: list[Tensor] = []
        for block in self.conv_body_down:
            feat = block(feat)
            kept.append(feat)
        feat = _lrelu(self.final_conv(feat))
        # Flattened channels first whatever the memory layout, as the linear layer was trained.
        code = self.final_linear(feat.flatten(1))
        scales, shifts = [], []
        for level, block in enumerate(self.conv_body_up):
            feat = block(feat + kept.pop())
            scales.append(self.condition_scale[level](feat))
            shifts.append(self.condition_shift[level](feat))
        return Stages(code, scales, shifts)

    @torch.no_grad()
    def fold(self) -> None:
        """Precompute what depends on the weights alone; call once they are final.

        Later changes of the weights would go unnoticed.
        """
        self.stylegan_decoder.fold()

    @torch.no_grad()
    def settle(self, dtype: torch.dtype) -> None:
        """Fold; maps and their weights in `dtype`, channels last; the style path in float32."""
        self.fold()
        decoder = self.stylegan_decoder
        exact = {decoder, *decoder.style_mlp.modules()}
        exact |= {m.modulation for m in decoder.modules() if isinstance(m, ModulatedConv)}
        for module in self.modules():
            if module not in exact:
                for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                    tensor.data = _channels_last(tensor.data.to(dtype))


class ResBlock(Narrow):
    """Two convolutions with a resize between them, and a 1 x 1 shortcut."""

    def __init__(self, channels_in: int, channels_out: int, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.conv1 = nn.Conv2d(channels_in, channels_in, 3, padding=1)
        self.conv2 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.skip = nn.Conv2d(channels_in, channels_out, 1, bias=False)

    def forward(self, feat: Tensor) -> Tensor:
        """feat [B, in, s, s] -> [B, out, s * factor, s * factor]."""
        run, (first, last) = self.convolve or convolved, (_affine(self.conv1), _affine(self.conv2))
        inner = _resize(run(feat, *first, 0.2), self.factor)
        return run(inner, *last, 0.2, plus=self._shortcut(feat))

    def _shortcut(self, feat: Tensor) -> Tensor:
        """A 1 x 1 convolution and a bilinear resize commute: do it where the map is smaller."""
        if self.factor > 1:
            return _resize(self.skip(feat), self.factor)
        out: Tensor = self.skip(_resize(feat, self.factor))
        return out


class StyleDecoder(nn.Module):
    """StyleGAN2's synthesis network, each level scaled and shifted by the U-Net's maps.

    The style path (latent, modulation, demodulation) stays in float32 whatever the maps are in:
    its sums of squares do not fit half precision.
    """

    modulation: Tensor | None
    modulation_bias: Tensor | None
    energy: Tensor | None

    def __init__(self, config: StyleUnetConfig) -> None:
        super().__init__()
        width, style = config.decoder, config.style
        layers: list[nn.Module] = [NormaliseStyle()]
        for _ in range(8):
            layers += [nn.Linear(style, style), nn.LeakyReLU(0.2)]
        self.style_mlp = nn.Sequential(*layers)
        self.constant_input = Constant(width[0])
        self.style_conv1 = StyleConv(width[0], width[0], style)
        self.to_rgb1 = ToRgb(width[0], style)
        pairs = list(pairwise(width))
        self.style_convs = nn.ModuleList(
            StyleConv(source, target, style)
            for low, high in pairs
            for source, target in ((low, high), (high, high))
        )
        self.to_rgbs = nn.ModuleList(ToRgb(high, style) for _, high in pairs)
        self.noises = StoredNoise(config.levels)
        for name in ("modulation", "modulation_bias", "energy"):
            self.register_buffer(name, None, persistent=False)

    def forward(self, stages: Stages, noise: Noise = "stored") -> Tensor:
        """The stages of the U-Net -> [B, 3, size, size] before the sigmoid."""
        latent = self.latent(stages.style_code)
        scales, gains = self._styles(latent, stages.style_code.dtype)
        convs, rgbs = self._convs(), self._rgbs()

        def conv(
            index: int, feat: Tensor, times: Tensor | None = None, plus: Tensor | None = None
        ) -> Tensor:
            noise_map = self._noise(index, feat, noise)
            out: Tensor = convs[index](feat, scales[index], gains[index], noise_map, times, plus)
            return out

        rgb_scales = scales[len(convs) :]
        feat = self.constant_input.weight.expand(len(latent), -1, -1, -1)
        feat = conv(0, feat.to(stages.style_code.dtype))
        picture: Tensor = rgbs[0](feat, rgb_scales[0])
        for level, (scale, shift) in enumerate(zip(stages.scales, stages.shifts, strict=True)):
            feat = conv(2 * level + 1, _resize(feat, 2.0), scale, shift)
            feat = conv(2 * level + 2, feat)
            picture = rgbs[level + 1](feat, rgb_scales[level + 1]) + _resize(picture, 2.0)
        return picture

    def latent(self, style_code: Tensor) -> Tensor:
        """style_code [B, style] -> the latent that every layer shares, float32."""
        latent: Tensor = self.style_mlp(style_code.float())
        return latent

    def fold(self) -> None:
        """Keep the modulation and energy matrices, which depend on the weights alone."""
        self.modulation, self.modulation_bias = self._modulation()
        self.energy = self._energy()

    def _styles(self, latent: Tensor, dtype: torch.dtype) -> tuple[list[Tensor], list[Tensor]]:
        """Input scales of every modulated convolution, output gains of the demodulated ones.

        One padded product for all layers instead of a small one for each: at batch 1 the launches
        would cost more than the arithmetic.
        """
        if self.modulation is None or self.modulation_bias is None or self.energy is None:
            weight, bias, energy = *self._modulation(), self._energy()
        else:
            weight, bias, energy = self.modulation, self.modulation_bias, self.energy
        scale = torch.einsum("lis,bs->bli", weight, latent) + bias
        squares = scale[:, : len(energy)].square()
        gain = math.sqrt(2.0) * torch.rsqrt(torch.einsum("loi,bli->blo", energy, squares) + 1e-8)
        convs = [layer.modulated_conv for layer in self._convs()]
        modulated = convs + [layer.modulated_conv for layer in self._rgbs()]
        return (
            [_channels(scale[:, i], m.weight.shape[2], dtype) for i, m in enumerate(modulated)],
            [_channels(gain[:, i], m.weight.shape[1], dtype) for i, m in enumerate(convs)],
        )

    def _modulation(self) -> tuple[Tensor, Tensor]:
        """All modulation layers, padded to the widest: [layers, in, style] and [layers, in]."""
        modulated: list[StyleConv | ToRgb] = [*self._convs(), *self._rgbs()]
        layers = [layer.modulated_conv.modulation for layer in modulated]
        return (
            _padded([layer.weight.float() for layer in layers]),
            _padded([layer.bias.float() for layer in layers]),
        )

    def _energy(self) -> Tensor:
        """Sums of squares over the kernel, padded: [style convolutions, out, in], float32."""
        weights = [layer.modulated_conv.weight[0].float() for layer in self._convs()]
        return _padded([weight.square().sum((2, 3)) for weight in weights])

    def _convs(self) -> list[StyleConv]:
        return [self.style_conv1, *cast("list[StyleConv]", list(self.style_convs))]

    def _rgbs(self) -> list[ToRgb]:
        return [self.to_rgb1, *cast("list[ToRgb]", list(self.to_rgbs))]

    def _noise(self, index: int, feat: Tensor, noise: Noise) -> Tensor | None:
        if noise == "none":
            return None
        if noise == "fresh":
            side = 4 << ((index + 1) // 2)
            return torch.randn(len(feat), 1, side, side, device=feat.device, dtype=feat.dtype)
        return self.noises.get(index)


class StoredNoise(nn.Module):
    """One noise map for each style convolution, as trained; the alternative to fresh noise."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        for index in range(2 * levels + 1):
            size = 4 << ((index + 1) // 2)
            self.register_buffer(f"noise{index}", torch.zeros(1, 1, size, size))

    def get(self, index: int) -> Tensor:
        """The map [1, 1, s, s] of convolution `index`."""
        noise: Tensor = getattr(self, f"noise{index}")
        return noise


class NormaliseStyle(nn.Module):
    """Scale a style code to unit mean square."""

    def forward(self, code: Tensor) -> Tensor:
        """code [B, style] -> the same shape."""
        return code * torch.rsqrt(code.square().mean(1, keepdim=True) + 1e-8)


class Constant(nn.Module):
    """The learnt 4 x 4 map at which synthesis starts."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, channels, 4, 4))


class ModulatedConv(nn.Module):
    """A convolution whose input channels are scaled by the style."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, style: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, channels_out, channels_in, kernel, kernel))
        self.modulation = nn.Linear(style, channels_in)  # applied by StyleDecoder, for all layers

    def forward(self, feat: Tensor, scale: Tensor) -> Tensor:
        """feat [B, in, s, s], scale [B, in, 1, 1] -> [B, out, s, s]."""
        return conv2d(feat * scale, self.weight[0], padding=self.weight.shape[-1] // 2)


class StyleConv(Narrow):
    """Modulated 3 x 3 convolution, demodulated; noise, bias and leaky ReLU."""

    def __init__(self, channels_in: int, channels_out: int, style: int) -> None:
        super().__init__()
        self.modulated_conv = ModulatedConv(channels_in, channels_out, 3, style)
        self.weight = nn.Parameter(torch.zeros(1))  # strength of the noise
        self.bias = nn.Parameter(torch.zeros(1, channels_out, 1, 1))

    def forward(
        self,
        feat: Tensor,
        scale: Tensor,
        gain: Tensor,
        noise: Tensor | None,
        times: Tensor | None = None,
        plus: Tensor | None = None,
    ) -> Tensor:
        """feat [B, in, s, s], scale [B, in, 1, 1], gain [B, out, 1, 1] -> [B, out, s, s], in the
        end * times + plus, where these are given."""
        if self.convolve is not None and len(feat) == 1:
            # Few weights: modulating them costs less than modulating the map.
            weight = self.modulated_conv.weight[0] * (scale[0] * gain[0][:, None])
            return self.convolve(
                feat, weight, self.bias.flatten(), 0.2, noise, self.weight, times, plus
            )
        out: Tensor = self.modulated_conv(feat, scale) * gain
        if noise is not None:
            out = out + noise * self.weight
        out = _lrelu(out + self.bias)
        out = out if times is None else out * times
        return out if plus is None else out + plus


class ToRgb(nn.Module):
    """Modulated 1 x 1 convolution to three channels, not demodulated."""

    def __init__(self, channels_in: int, style: int) -> None:
        super().__init__()
        self.modulated_conv = ModulatedConv(channels_in, 3, 1, style)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, feat: Tensor, scale: Tensor) -> Tensor:
        """feat [B, in, s, s], scale [B, in, 1, 1] -> [B, 3, s, s]."""
        picture: Tensor = self.modulated_conv(feat, scale) + self.bias
        return picture


def _channels(values: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """values [B, padded] -> [B, count, 1, 1]."""
    return values[:, :count, None, None].to(dtype)


def _channels_last(tensor: Tensor) -> Tensor:
    """The same values with channels last in memory; modulated weights have one axis more."""
    if tensor.ndim == 5:
        return _channels_last(tensor[0])[None]
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _padded(tensors: list[Tensor]) -> Tensor:
    """Stack tensors of different sizes, zeros filling up to the largest."""
    shape = [max(sizes) for sizes in zip(*(t.shape for t in tensors), strict=True)]
    out = tensors[0].new_zeros(len(tensors), *shape)
    for row, tensor in zip(out, tensors, strict=True):
        row[tuple(slice(size) for size in tensor.shape)] = tensor
    return out


class Condition(nn.Sequential, Narrow):
    """Two convolutions that make a map's scales or shifts."""

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
        )

    def forward(self, feat: Tensor) -> Tensor:
        """feat [B, width, s, s] -> [B, 2 width, s, s]."""
        run, (first, last) = self.convolve or convolved, (_affine(self[0]), _affine(self[2]))
        return run(run(feat, *first, 0.2), *last)


def _affine(layer: nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(layer, nn.Conv2d), type(layer)
    assert layer.bias is not None
    return layer.weight, layer.bias


def _lrelu(feat: Tensor) -> Tensor:
    return leaky_relu(feat, 0.2)


def _resize(feat: Tensor, factor: float) -> Tensor:
    return interpolate(feat, scale_factor=factor, mode="bilinear", align_corners=False)
