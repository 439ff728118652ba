"""Encoders of the wav2vec 2.0 family that talking heads hear with: 16 kHz -> 50 rows a second.

wav2vec 2.0 with letters (Baevski et al., 2020; Conneau et al., 2021: XLSR-53, fine-tuned) and
HuBERT large (Hsu et al., 2021), whose rows are the encoder's own. Both are the encoder of
`vcam.nets.artalk.speech`, in the "stable" order of its norms, in the files of the transformers
library: `pytorch_model.bin` or `model.safetensors`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from vcam.errors import WeightsError
from vcam.nets.artalk.shapes import SpeechConfig
from vcam.nets.artalk.speech import SpeechEncoder, normalise
from vcam.tensors.checkpoint import hollow, load_strict, read_state

HEAD = 64  # numbers of an attention head, in all large encoders
_MARK = "feature_extractor.conv_layers.0.conv.weight"
_POSITIONS = "encoder.pos_conv_embed.conv"
_RENAMED = {  # as older releases of the library wrote them
    f"{_POSITIONS}.weight_g": f"{_POSITIONS}.parametrizations.weight.original0",
    f"{_POSITIONS}.weight_v": f"{_POSITIONS}.parametrizations.weight.original1",
}
_UNUSED = re.compile(
    r"(quantizer|project_hid|project_q|adapter|label_embs)[._].*|label_embs_concat"
)
_WHAT = "the speech encoder"


class Wav2vec(nn.Module):
    """The encoder, and its letters if it has any."""

    def __init__(self, config: SpeechConfig, letters: int) -> None:
        """`letters`: 0 gives the encoder's own rows."""
        super().__init__()
        self.encoder = SpeechEncoder(config)
        self.lm_head = nn.Linear(config.width, letters) if letters else None
        self.channels = letters or config.width

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self.encoder.masked_spec_embed.device

    @classmethod
    def load(cls, path: Path) -> Wav2vec:
        """Read a file of the transformers library. Raises WeightsError."""
        return cls.of(read_state(path))

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> Wav2vec:
        """From its weights; sizes are told by shapes. Raises WeightsError."""
        prefix = next((key[: -len(_MARK)] for key in state if key.endswith(_MARK)), None)
        if prefix is None:
            raise WeightsError(f"{_WHAT} is neither wav2vec 2.0 nor HuBERT: it has no {_MARK}")
        own = {
            key.removeprefix(prefix): value
            for key, value in state.items()
            if not _UNUSED.match(key.removeprefix(prefix))
        }
        renamed = {_RENAMED.get(key, key): value for key, value in own.items()}
        letters = {key: renamed.pop(key) for key in list(renamed) if key.startswith("lm_head.")}
        config = _config(renamed)
        renamed.setdefault("masked_spec_embed", torch.zeros(config.width))  # used in training only
        with hollow():
            net = cls(config, len(letters.get("lm_head.bias", ())))
        parts = {f"encoder.{key}": value for key, value in renamed.items()} | letters
        load_strict(net, {key: value.float() for key, value in parts.items()}, _WHAT)
        return net.eval().requires_grad_(False)

    def forward(self, audio: Tensor) -> Tensor:
        """audio [B, samples] at 16 kHz -> rows [B, n, channels], n = (samples - 80) / 320."""
        rows: Tensor = self.encoder(normalise(audio))
        return rows if self.lm_head is None else self.lm_head(rows)


def _config(state: Mapping[str, Tensor]) -> SpeechConfig:
    try:
        positions = state[f"{_POSITIONS}.parametrizations.weight.original1"]
        width = state["feature_projection.projection.weight"].shape[0]
        return SpeechConfig(
            channels=state[_MARK].shape[0],
            width=width,
            layers=len({key.split(".")[2] for key in state if key.startswith("encoder.layers.")}),
            heads=max(1, width // HEAD),
            hidden=state["encoder.layers.0.feed_forward.intermediate_dense.weight"].shape[0],
            position_kernel=positions.shape[2],
            position_groups=width // positions.shape[1],
        )
    except KeyError as error:
        raise WeightsError(f"{_WHAT}: {error} is missing") from error
