"""The speech encoder of the fast ARTalk: convolutions as products over unfolded time."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vcam.motion.artalk.fused import FusedLayers
from vcam.motion.artalk.pieces import (
    Affine,
    Place,
    all_of,
    conv_layer,
    conv_weights,
    norm,
    speech_layer,
    speech_weights,
)
from vcam.nets.artalk import SAMPLES, ConvLayer, SpeechEncoder, SpeechLayer

_MANY = 64  # processors; with 132, products of cuBLAS' in 200 launches more are a seventh faster


class FastSpeech:
    """The speech encoder on one device in one precision."""

    def __init__(self, net: SpeechEncoder, place: Place) -> None:
        self._place = place
        self._convs = [
            conv_weights(layer, place)
            for layer in all_of(net.feature_extractor.conv_layers, ConvLayer)
        ]
        self._project_norm = place.affine(net.feature_projection.layer_norm)
        self._project = place.affine(net.feature_projection.projection)
        self._through: PieceLayers | FusedLayers = (
            FusedLayers(net, place) if 0 < place.processors < _MANY else PieceLayers(net, place)
        )
        self._conv = place.compiled(conv_layer)

    def convolve(self, audio: Tensor) -> Tensor:
        """Normalised sound [B, samples] -> features [B, frames, C], a frame per 320 samples."""
        # The few frames of a hop are not worth seven more compilations.
        layer = self._conv if audio.shape[1] == SAMPLES else conv_layer
        x = audio.to(self._place.dtype)[..., None]
        for conv in self._convs:
            x = layer(x, conv)
        return x

    def encode(self, features: Tensor) -> Tensor:
        """Features [B, T, C] -> [B, T, D]."""
        return self._through(F.linear(norm(features, self._project_norm), *self._project))


class PieceLayers:
    """Positions and layers of the speech encoder, layer by layer."""

    def __init__(self, net: SpeechEncoder, place: Place) -> None:
        position = net.encoder.pos_conv_embed.conv
        self._groups = position.groups
        by_group = position.weight.view(self._groups, -1, position.weight[0].numel()).mT
        self._position = Affine(place.put(by_group), place.put(position.bias))
        self._kernel = position.kernel_size[0]
        layers = all_of(net.encoder.layers, SpeechLayer)
        self._layers = [speech_weights(layer, place) for layer in layers]
        self._heads = layers[0].attention.heads
        self._norm = place.affine(net.encoder.layer_norm)
        self._layer = place.compiled(speech_layer)

    def __call__(self, x: Tensor) -> Tensor:
        """Projected features [B, T, D] -> [B, T, D]."""
        more = self._positions(x)
        for layer in self._layers:
            x, more = self._layer(x, more, layer, self._heads)
        return norm(x + more, self._norm)

    def _positions(self, x: Tensor) -> Tensor:
        """The grouped convolution over time as one product per group, [B, T, D] -> [B, T, D]."""
        batch, frames, width = x.shape
        before = self._kernel // 2
        padded = F.pad(x.transpose(1, 2), (before, self._kernel - 1 - before))
        windows = padded.unfold(2, self._kernel, 1)
        windows = windows.reshape(batch, self._groups, -1, frames, self._kernel)
        rows = windows.permute(1, 0, 3, 2, 4).reshape(self._groups, batch * frames, -1)
        mixed = torch.bmm(rows, self._position.weight).transpose(0, 1)
        return F.gelu(mixed.reshape(batch, frames, width) + self._position.bias)


class OtherSpeech:
    """Any other encoder of normalised sound, run as it is."""

    def __init__(self, net: nn.Module, place: Place) -> None:
        self._net, self._dtype = copy.deepcopy(net).to(place.device), place.dtype

    def convolve(self, audio: Tensor) -> Tensor:
        """Nothing apart: its features are the sound."""
        return audio

    def encode(self, features: Tensor) -> Tensor:
        """Normalised sound [B, 64000] -> [B, T, D]."""
        encoded: Tensor = self._net(features)
        return encoded.to(self._dtype)
