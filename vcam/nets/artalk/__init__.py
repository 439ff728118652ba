"""ARTalk: four seconds of speech -> 100 frames of FLAME motion.

Paper: X. Chu, N. Goswami, Z. Cui, H. Wang, T. Harada, "ARTalk: Speech-Driven 3D Head Animation via
Autoregressive Model" (2025). Upstream: github.com/xg-chu/ARTalk. Checkpoint: `ARTalk_wav2vec.pt`,
whose keys the modules below follow. The speech encoder is XLS-R 300M (Babu et al., 2021; the
"stable" wav2vec 2.0 transformer of Baevski et al., 2020).

A motion frame is 106 numbers at 25 fps: FLAME expression 0..99, head rotation 100..102, jaw
rotation 103..105 (axis-angle, radians). A motion is coded as 181 tokens of 32 bits, on levels of
1, 5, 25, 50 and 100 tokens: each level codes what the coarser ones left (a residual quantiser).
The generator predicts one level after the other from sound, style and the coded past.

The networks here are the plain form that tests compare everything else with; the one with cached
keys and few launches is `vcam.motion.artalk.fast`. Open `net` first.
"""

from vcam.nets.artalk.codec import CodecAttention, MotionCodec
from vcam.nets.artalk.generator import Block
from vcam.nets.artalk.layers import expectations, margins, modulated, signs, spreads
from vcam.nets.artalk.net import ArtalkNet
from vcam.nets.artalk.shapes import (
    CODE,
    ENDS,
    EXPRESSION,
    FEATURES,
    FRAMES,
    HEAD,
    JAW,
    LEVELS,
    MOTION,
    SAMPLES,
    TOKENS,
    ArtalkConfig,
    Past,
    SpeechConfig,
)
from vcam.nets.artalk.speech import (
    ConvLayer,
    PositionConv,
    SpeechEncoder,
    SpeechLayer,
    normalise,
)

__all__ = [
    "CODE",
    "ENDS",
    "EXPRESSION",
    "FEATURES",
    "FRAMES",
    "HEAD",
    "JAW",
    "LEVELS",
    "MOTION",
    "SAMPLES",
    "TOKENS",
    "ArtalkConfig",
    "ArtalkNet",
    "Block",
    "CodecAttention",
    "ConvLayer",
    "MotionCodec",
    "Past",
    "PositionConv",
    "SpeechConfig",
    "SpeechEncoder",
    "SpeechLayer",
    "expectations",
    "margins",
    "modulated",
    "normalise",
    "signs",
    "spreads",
]
