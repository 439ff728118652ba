"""ARTalk's Triton kernels on a CPU, in Triton's interpreter: slow, and the same statements.

Run as a program of its own, because Triton decides when it is imported whether it interprets:
`TRITON_INTERPRET=1 python -m tests.motion.interpreted_artalk stacks|decoder` prints, as JSON, the
largest differences to the plain form.
"""

from __future__ import annotations

import json
import sys

import torch
from torch import Tensor

from tests.motion.tiny_artalk import FITTING, tiny_net
from vcam.motion.artalk.fast import FastDecoder
from vcam.motion.artalk.stack import Kind, Stack, StackWeights, plain
from vcam.nets.artalk import SAMPLES, ArtalkNet, margins, normalise

LAYERS, WIDTH, HIDDEN, HEADS = 2, 32, 64, 2
KINDS = {
    "speech": (Kind(), 37, 0),
    "codec": (Kind(normed_inner=False, exact=False), 20, 20),
    "generator": (Kind(modulated=True, exact=False, epsilon=1e-6), 5, 7),
    "one row": (Kind(modulated=True, exact=False, epsilon=1e-6), 1, 7),
}


def some_weights(dtype: torch.dtype) -> StackWeights:
    draw = torch.Generator().manual_seed(0)

    def some(*shape: int, spread: float = 0.3) -> Tensor:
        return torch.randn(*shape, generator=draw) * spread

    def product(*shape: int) -> Tensor:
        return some(*shape, spread=shape[-1] ** -0.5).to(dtype)

    norms = [some(count, 2, WIDTH) + torch.tensor([[1.0], [0.0]]) for count in (LAYERS + 1, LAYERS)]
    return StackWeights(
        *norms,
        product(LAYERS, 3 * WIDTH, WIDTH),
        some(LAYERS, 3 * WIDTH),
        some(LAYERS, HEADS).abs() + 0.5,
        product(LAYERS, WIDTH, WIDTH),
        some(LAYERS, WIDTH),
        product(LAYERS, HIDDEN, WIDTH),
        some(LAYERS, HIDDEN),
        product(LAYERS, WIDTH, HIDDEN),
        some(LAYERS, WIDTH),
    )


def stack_difference(kind: Kind, rows: int, past: int, dtype: torch.dtype) -> float:
    """Of stream, normed end and memory to the plain form in float32."""
    draw, weights = torch.Generator().manual_seed(1), some_weights(dtype)
    x = torch.randn(rows, WIDTH, generator=draw)
    memory = torch.randn(LAYERS, past + rows, 2 * WIDTH, generator=draw).to(dtype)
    steer = torch.randn(rows, (6 * LAYERS + 2) * WIDTH, generator=draw).to(dtype) / 2
    steer_or_none = steer if kind.modulated else None
    exact = StackWeights(*(each.float() for each in weights))
    kept = memory.float()
    stream, end = plain(kind, exact, x.clone(), kept, past, steer_or_none)
    ours = Stack(weights, kind, 40, processors=3)(x, memory, past, steer_or_none)
    pairs = ((x, stream), (ours, end), (memory, kept))
    return max(float((a.float() - b.float()).abs().max()) for a, b in pairs)


def decoder_differences(net: ArtalkNet) -> dict[str, float]:
    """Of the fused decoder and its parts to the net, for one voice in float32."""
    draw = torch.Generator().manual_seed(0)
    audio = torch.randn(1, SAMPLES, generator=draw) * 0.1
    past = torch.randn(1, 100, 106, generator=draw) * 0.5
    style, floor = (
        net.style(torch.randn(1, 50, 106, generator=draw)),
        torch.full((1, 1), 0.12),
    )
    fused = FastDecoder(net, torch.device("cpu"), torch.float32, False, soft=1, fused=True)
    heard = fused.speech.encode(fused.speech.convolve(normalise(audio, floor)))
    kept, inputs = fused.codec.past(past)
    expected = net.basic_vae.past(past)
    rooms = fused.generator.remember(inputs, style)
    total, spoken = fused.generator.generate(fused.generator.steer(heard), rooms, style)
    said = net.generate(net.listen(normalise(audio, floor)), style, expected, soft=1)
    pairs = {
        "heard": (heard, net.audio_encoder(normalise(audio, floor))),
        "past": (inputs, expected.inputs),
        "margins": (torch.cat(spoken, dim=1), margins(said.logits[-1])),
        "features": (total, said.features),
        # Of the past's half of the decoder only keys and values are kept: as good as both.
        "motion": (
            fused.codec.decode(kept, total),
            net.basic_vae.decode(expected.features, total),
        ),
    }
    return {name: float((ours - theirs).abs().max()) for name, (ours, theirs) in pairs.items()}


def stack_differences() -> dict[str, float]:
    """Of every kind, in float32 and with weights in half precision."""
    return {
        f"{name}, {str(dtype).removeprefix('torch.')}": stack_difference(*case, dtype)
        for name, case in KINDS.items()
        for dtype in (torch.float32, torch.float16)
    }


if __name__ == "__main__":
    with torch.inference_mode():
        asked = sys.argv[1] == "stacks"
        found = stack_differences() if asked else decoder_differences(tiny_net(config=FITTING))
    print(json.dumps(found))
