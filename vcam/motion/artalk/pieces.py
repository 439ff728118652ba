"""The repeated pieces of the fast ARTalk and their weights, copied out of the net.

Each piece takes the residual stream and what is still to be added to it, so that a compiler can
fuse the addition with the norm that follows. The net may be dropped once its weights are copied.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vcam.gpu.compile_cache import CompileCached
from vcam.nets.artalk import Block, CodecAttention, ConvLayer, SpeechLayer, modulated
from vcam.system import missing

_FEW = 24  # processors; with 132, two programs on each are a quarter slower than one

Step = TypeVar("Step", bound=Callable[..., object])
Kind = TypeVar("Kind", bound=nn.Module)


class Affine(NamedTuple):
    """A linear map or the gain and bias of a norm."""

    weight: Tensor
    bias: Tensor


class ConvWeights(NamedTuple):
    """A convolution as a product: weight [C', kernel * C], and the norm behind it."""

    product: Affine
    norm: Affine
    kernel: int
    stride: int


class SpeechWeights(NamedTuple):
    """One layer of the speech encoder."""

    norm1: Affine
    qkv: Affine
    out: Affine
    norm2: Affine
    inner: Affine
    outer: Affine


class BlockWeights(NamedTuple):
    """One block of the generator."""

    qkv: Affine
    sharpness: Tensor
    out: Affine
    inner: Affine
    outer: Affine


class CodecWeights(NamedTuple):
    """One attention and one feed-forward layer of the codec."""

    norm: Affine
    qkv: Tensor
    out: Affine
    inner: Affine
    outer: Affine


# ---------------------------------------------------------------- the repeated pieces


def conv_layer(x: Tensor, conv: ConvWeights) -> Tensor:
    """Time-major convolution, norm and GELU: [B, T, C] -> [B, T', C']."""
    windows = x.unfold(1, conv.kernel, conv.stride).transpose(2, 3).flatten(2)
    return F.gelu(norm(F.linear(windows, *conv.product), conv.norm))


def speech_layer(x: Tensor, more: Tensor, w: SpeechWeights, heads: int) -> tuple[Tensor, Tensor]:
    """[B, T, D] twice -> [B, T, D] twice."""
    x = x + more
    q, k, v = split(F.linear(norm(x, w.norm1), *w.qkv), 3, heads)
    x = x + F.linear(joined(F.scaled_dot_product_attention(q, k, v)), *w.out)
    return x, F.linear(F.gelu(F.linear(norm(x, w.norm2), *w.inner)), *w.outer)


def codec_layer(
    x: Tensor, more: Tensor, mask: Tensor | None, w: CodecWeights, heads: int
) -> tuple[Tensor, Tensor]:
    """[B, T, C] twice -> [B, T, C] twice."""
    x = x + more
    q, k, v = split(F.linear(norm(x, w.norm), w.qkv), 3, heads)
    scale = x.shape[-1] ** -0.5
    attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
    x = x + F.linear(joined(attended), *w.out)
    hidden = F.gelu(F.linear(x, *w.inner), approximate="tanh")
    return x, F.linear(hidden, *w.outer)


def block_before(
    x: Tensor, more: Tensor, gate: Tensor, steer: Tensor, w: BlockWeights, heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Up to the attention: the stream [B, n, W], queries [B, H, n, d] and keys with values
    [2, B, H, n, d]."""
    x = x + gate * more
    _, _, scale, _, shift, _ = steer.chunk(6, dim=-1)
    q, k, v = split(F.linear(modulated(x, scale, shift), *w.qkv), 3, heads)
    queries = F.normalize(q, dim=-1) * w.sharpness
    return x, queries, torch.stack([F.normalize(k, dim=-1), v])


def block_after(
    x: Tensor, attended: Tensor, steer: Tensor, w: BlockWeights
) -> tuple[Tensor, Tensor]:
    """From the attention on: the stream, and what the next block is to add under its gate."""
    gate, _, _, scale, _, shift = steer.chunk(6, dim=-1)
    x = x + gate * F.linear(joined(attended), *w.out)
    hidden = F.gelu(F.linear(modulated(x, scale, shift), *w.inner), approximate="tanh")
    return x, F.linear(hidden, *w.outer)


def norm(x: Tensor, affine: Affine) -> Tensor:
    """Layer norm over the last axis."""
    return F.layer_norm(x, x.shape[-1:], affine.weight, affine.bias, 1e-5)


def split(x: Tensor, parts: int, heads: int) -> tuple[Tensor, ...]:
    """[B, n, parts * H * d] -> `parts` of [B, H, n, d]."""
    batch, rows, _ = x.shape
    return x.view(batch, rows, parts, heads, -1).permute(2, 0, 3, 1, 4).unbind(0)


def joined(x: Tensor) -> Tensor:
    """[B, H, n, d] -> [B, n, H * d]."""
    return x.transpose(1, 2).flatten(2)


# ---------------------------------------------------------------- copying the weights out


def can_compile() -> bool:
    """Whether torch.compile finds what it needs for CUDA: Triton, and a C compiler for its
    launchers. Without them a hop takes about half as long again, as a graph of plain kernels."""
    return missing.compiler() is not None and importlib.util.find_spec("triton") is not None


@dataclass(frozen=True, slots=True)
class Place:
    """Where weights go, in which precision, and how the layers run there."""

    device: torch.device
    dtype: torch.dtype
    compile: bool  # the pieces, each into kernels of its own
    processors: int = 0  # that share out a whole stack of layers in one launch; 0: layer by layer

    @property
    def each(self) -> int:
        """Programs on a processor for stacks of few rows: where few processors have many tiles,
        one computes while another waits for memory."""
        return 2 if 0 < self.processors <= _FEW else 1

    @property
    def exact(self) -> Place:
        """The same in float32."""
        return replace(self, dtype=torch.float32)

    def put(self, tensor: Tensor) -> Tensor:
        """A contiguous copy there, rounded before it travels: the device never holds it twice."""
        return tensor.detach().to(self.dtype, copy=True).contiguous().to(self.device)

    def affine(self, module: nn.Module) -> Affine:
        """Weight and bias of a linear map or a norm."""
        assert isinstance(module, nn.Linear | nn.LayerNorm), type(module)
        return Affine(self.put(module.weight), self.put(module.bias))

    def product(self, modules: Sequence[nn.Module]) -> Affine:
        """Several linear maps of the same input as one; absent biases are zero."""
        linears = all_of(modules, nn.Linear)
        weights: list[Tensor] = [linear.weight for linear in linears]
        biases: list[Tensor] = [
            linear.weight.new_zeros(linear.out_features) if linear.bias is None else linear.bias
            for linear in linears
        ]
        return Affine(self.put(torch.cat(weights)), self.put(torch.cat(biases)))

    def compiled(self, step: Step) -> Step:
        """`step`, compiled for each shape it meets when that is asked for."""
        return cast(Step, CompileCached(step)) if self.compile else step


def conv_weights(layer: ConvLayer, place: Place) -> ConvWeights:
    conv = layer.conv
    assert conv.bias is not None
    product = Affine(place.put(conv.weight.transpose(1, 2).flatten(1)), place.put(conv.bias))
    return ConvWeights(product, place.affine(layer.layer_norm), conv.kernel_size[0], conv.stride[0])


def speech_weights(layer: SpeechLayer, place: Place) -> SpeechWeights:
    attention, mix = layer.attention, layer.feed_forward
    return SpeechWeights(
        place.affine(layer.layer_norm),
        place.product([attention.q_proj, attention.k_proj, attention.v_proj]),
        place.affine(attention.out_proj),
        place.affine(layer.final_layer_norm),
        place.affine(mix.intermediate_dense),
        place.affine(mix.output_dense),
    )


def block_weights(block: Block, place: Place) -> BlockWeights:
    attn, ffn = block.attn, block.ffn
    return BlockWeights(
        place.product([attn.query, attn.key, attn.value]),
        place.put(attn.sharpness()),
        place.affine(attn.proj),
        place.affine(ffn[0]),
        place.affine(ffn[2]),
    )


def codec_weights(layers: nn.ModuleList, place: Place) -> list[CodecWeights]:
    return [
        CodecWeights(
            place.affine(attention.norm),
            place.put(attention.to_qkv.weight),
            place.affine(attention.to_out),
            place.affine(mix[0]),
            place.affine(mix[2]),
        )
        for attention, mix in codec_pairs(layers)
    ]


def codec_pairs(layers: nn.ModuleList) -> list[tuple[CodecAttention, nn.Sequential]]:
    """Attention and feed-forward of each layer of the codec."""
    attentions, mixes = all_of(layers[::2], CodecAttention), all_of(layers[1::2], nn.Sequential)
    return list(zip(attentions, mixes, strict=True))


def all_of(modules: Iterable[nn.Module], kind: type[Kind]) -> list[Kind]:
    """The modules of a container, which all are of one kind."""
    found = [module for module in modules if isinstance(module, kind)]
    assert len(found) == len(list(modules)), kind
    return found
