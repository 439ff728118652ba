"""An ARTalk small enough to decode a window in a few milliseconds, with seeded weights."""

from __future__ import annotations

from dataclasses import replace

import torch

from vcam.nets.artalk import ArtalkConfig, ArtalkNet, SpeechConfig

SPEECH = SpeechConfig(
    channels=8, width=32, layers=1, heads=2, hidden=32, position_kernel=8, position_groups=2
)
CONFIG = ArtalkConfig(
    depth=1, heads=2, width=32, codec_depth=1, codec_heads=2, codec_width=16, speech=SPEECH
)
FITTING = replace(CONFIG, codec_width=32)  # cut into tiles of 16, as the fused form needs it


def tiny_net(seed: int = 0, config: ArtalkConfig = CONFIG) -> ArtalkNet:
    """Every parameter drawn, so that nothing is left at a value that hides a mistake."""
    net = ArtalkNet(config).eval().requires_grad_(False)
    draw = torch.Generator().manual_seed(seed)
    for name, value in net.named_parameters():
        fan_in = value[0].numel() if value.ndim > 1 else 1
        spread = fan_in**-0.5 if value.ndim > 1 else 0.1
        value.copy_(torch.randn(value.shape, generator=draw) * spread)
        if "norm" in name and name.endswith("weight"):
            value += 1
    net.logits_head.weight *= 4  # bits as firm as a trained net's
    return net
