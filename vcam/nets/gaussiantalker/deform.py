"""Each Gaussian looks at the four tokens, and five heads say how it departs from where it rests."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

HEADS = 2  # of attention; not in the file, and two in every published configuration
COEFFICIENTS = 16  # spherical harmonics of degree 3, for each colour
_EPSILON = 1e-12  # under the root of a norm

# The heads, by upstream's names, and how many numbers each gives.
OUTPUTS = {"pos": 3, "scales": 3, "rotations": 4, "opacity": 1, "shs": 3 * COEFFICIENTS}


class Offsets(NamedTuple):
    """What is added to the stored, raw values of N Gaussians."""

    points: Tensor  # [N, 3]
    log_scales: Tensor  # [N, 3]
    rotations: Tensor  # [N, 4] w x y z
    logits: Tensor  # [N], of opacity
    harmonics: Tensor  # [N, 16, 3]


class Norm(nn.Module):
    """Layer normalisation with biased variance, under upstream's names."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma, self.beta = (nn.Parameter(torch.zeros(width)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """x [..., width] -> the same shape."""
        shape = [x.shape[-1]]
        return nn.functional.layer_norm(x, shape, self.gamma, self.beta, _EPSILON)


class CrossAttention(nn.Module):
    """Points ask, tokens answer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.w_q, self.w_k, self.w_v, self.w_concat = (nn.Linear(width, width) for _ in range(4))

    def weights(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """queries [N, width] projected, tokens [4, width] -> [heads, N, 4], each row of sum 1."""
        asked, keys = _by_head(queries), _by_head(self.w_k(tokens))
        scores: Tensor = asked @ keys.transpose(1, 2) / math.sqrt(keys.shape[-1])
        return scores.softmax(-1)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """queries [N, width] projected, tokens [4, width] -> [N, width]."""
        answers: Tensor = self.weights(queries, tokens) @ _by_head(self.w_v(tokens))
        out: Tensor = self.w_concat(answers.transpose(0, 1).flatten(1))
        return out


def _by_head(x: Tensor) -> Tensor:
    """[n, width] -> [heads, n, width / heads]."""
    return x.view(len(x), HEADS, -1).transpose(0, 1)


class FeedForward(nn.Module):
    """Two linear layers, the first rectified."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """x [N, width] -> the same shape."""
        out: Tensor = self.linear2(torch.relu(self.linear1(x)))
        return out


class Layer(nn.Module):
    """Attention and feed-forward, each normalised after it is added."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.enc_dec_attention = CrossAttention(width)
        self.norm1, self.norm2 = Norm(width), Norm(width)
        self.ffn = FeedForward(width, hidden)

    def queries(self, x: Tensor) -> Tensor:
        """What the points ask; for the first layer it is the same in every frame."""
        asked: Tensor = self.enc_dec_attention.w_q(x)
        return asked

    def forward(self, x: Tensor, queries: Tensor, tokens: Tensor) -> Tensor:
        """x [N, width], `queries` of it, tokens [4, width] -> [N, width]."""
        x = self.norm1(x + self.enc_dec_attention(queries, tokens))
        out: Tensor = self.norm2(x + self.ffn(x))
        return out


class Transformer(nn.Module):
    """The layers in turn; all of them see the same tokens."""

    def __init__(self, layers: int, width: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(width, hidden) for _ in range(layers))

    def queries(self, features: Tensor) -> Tensor:
        """What the points ask in the first layer."""
        first = self.layers[0]
        assert isinstance(first, Layer)
        return first.queries(features)

    def forward(self, features: Tensor, queries: Tensor, tokens: Tensor) -> Tensor:
        """features [N, width] and their `queries`, tokens [4, width] -> [N, width]."""
        first, *others = self.layers
        x: Tensor = first(features, queries, tokens)
        for layer in others:
            assert isinstance(layer, Layer)
            x = layer(x, layer.queries(x), tokens)
        return x


def head(width: int, hidden: int, outputs: int) -> nn.Sequential:
    """A rectified vector -> `outputs` numbers."""
    return nn.Sequential(nn.ReLU(), nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
