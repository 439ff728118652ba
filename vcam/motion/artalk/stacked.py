"""Copying ARTalk's weights out of the net, all layers of a stack one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vcam.motion.artalk.pieces import Affine, Place, all_of
from vcam.motion.artalk.stack import StackWeights
from vcam.nets.artalk import Block, CodecAttention, PositionConv, SpeechLayer


def _pairs(norms: Sequence[nn.LayerNorm], place: Place) -> Tensor:
    """Gains and biases [n, 2, W]."""
    gains: list[Tensor] = [each.weight for each in norms]
    biases: list[Tensor] = [each.bias for each in norms]
    return place.exact.put(torch.stack([torch.stack(gains), torch.stack(biases)], dim=1))


def _stacked(modules: Sequence[nn.Module], place: Place) -> Affine:
    """Linear maps of one shape as [n, out, in], and their biases in float32."""
    linears = all_of(modules, nn.Linear)
    weights: list[Tensor] = [each.weight for each in linears]
    biases: list[Tensor] = [
        each.weight.new_zeros(each.out_features) if each.bias is None else each.bias
        for each in linears
    ]
    return Affine(
        place.put(torch.stack(weights)),
        place.exact.put(torch.stack(biases)),
    )


def _qkv(groups: Sequence[Sequence[nn.Module]], place: Place) -> Affine:
    """Queries, keys and values of each layer as one product."""
    parts = [_stacked(modules, place) for modules in zip(*groups, strict=True)]
    return Affine(
        torch.cat([part.weight for part in parts], 1), torch.cat([part.bias for part in parts], 1)
    )


def speech_stack(layers: Sequence[SpeechLayer], end: nn.LayerNorm, place: Place) -> StackWeights:
    attention = [layer.attention for layer in layers]
    mix = [layer.feed_forward for layer in layers]
    heads, width = attention[0].heads, attention[0].q_proj.in_features
    return StackWeights(
        _pairs([*(layer.layer_norm for layer in layers), end], place),
        _pairs([layer.final_layer_norm for layer in layers], place),
        *_qkv([(each.q_proj, each.k_proj, each.v_proj) for each in attention], place),
        _everywhere((width // heads) ** -0.5, len(layers), heads, place),
        *_stacked([each.out_proj for each in attention], place),
        *_stacked([each.intermediate_dense for each in mix], place),
        *_stacked([each.output_dense for each in mix], place),
    )


def codec_stack(
    layers: Sequence[tuple[CodecAttention, nn.Sequential]], heads: int, place: Place
) -> StackWeights:
    attention, mix = [pair[0] for pair in layers], [pair[1] for pair in layers]
    norms = _pairs([each.norm for each in attention], place)
    plain = torch.zeros_like(norms)
    plain[:, 0] = 1
    return StackWeights(
        torch.cat([norms, plain[:1]]),
        plain,
        *_stacked([each.to_qkv for each in attention], place),
        _everywhere(attention[0].scale, len(layers), heads, place),
        *_stacked([each.to_out for each in attention], place),
        *_stacked([each[0] for each in mix], place),
        *_stacked([each[2] for each in mix], place),
    )


def block_stack(blocks: Sequence[Block], place: Place) -> StackWeights:
    attention = [block.attn for block in blocks]
    qkv = _qkv([(each.query, each.key, each.value) for each in attention], place)
    nothing = torch.zeros(0, device=place.device)  # the norms are steered
    return StackWeights(
        nothing,
        nothing,
        *qkv,
        place.exact.put(torch.stack([each.sharpness().flatten() for each in attention])),
        *_stacked([each.proj for each in attention], place),
        *_stacked([block.ffn[0] for block in blocks], place),
        *_stacked([block.ffn[2] for block in blocks], place),
    )


def _everywhere(value: float, layers: int, heads: int, place: Place) -> Tensor:
    return torch.full((layers, heads), value, device=place.device)


def position_weights(net: PositionConv, place: Place) -> tuple[Tensor, Tensor, int]:
    """Weight [W, kernel, per group], bias in float32, and the kernel's length."""
    weight = place.put(net.conv.weight.transpose(1, 2))
    return weight, place.exact.put(net.conv.bias), net.conv.kernel_size[0]
