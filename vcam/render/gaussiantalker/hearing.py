"""Which front end an avatar hears with, and the user's own files of them.

The number of audio channels is a property of the checkpoint: 29 are DeepSpeech 0.1.0's letters,
1024 a large HuBERT's rows, and any other number the letters of a fine-tuned wav2vec 2.0. The
files cannot be fetched by vcam: whoever trained the avatar has them. Each is converted and kept.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from vcam.errors import ConfigError, WeightsError
from vcam.nets.deepspeech import LETTERS, DeepSpeech
from vcam.nets.wav2vec import Wav2vec
from vcam.render.gaussiantalker.letters import DeepSpeechLetters, Loudness, RollingLetters
from vcam.render.gaussiantalker.rows import FrontEnd
from vcam.weights import manifest

FOLDER = "hearing"  # below the models' folder
HUBERT = 1024
FROZEN = "deepspeech-0_1_0-b90017e8.pb"  # as its publisher calls it
_NAMES = {LETTERS: f"DeepSpeech 0.1.0 ({FROZEN})", HUBERT: "HuBERT large (pytorch_model.bin)"}


def kept(channels: int) -> Path:
    """Where the front end of so many channels is kept."""
    return manifest.folder() / FOLDER / f"{channels}.safetensors"


def called(channels: int) -> str:
    """Its name and its file, for people."""
    return _NAMES.get(channels, f"wav2vec 2.0 with {channels} letters (pytorch_model.bin)")


def keep(path: Path) -> int:
    """Convert and keep a front end's file; its number of channels.

    Raises WeightsError for any other file.
    """
    net = _read(path)
    channels = LETTERS if isinstance(net, DeepSpeech) else net.channels
    _write(net, kept(channels))
    return channels


def open_front(channels: int, loudness: Loudness, future: int, device: torch.device) -> FrontEnd:
    """The front end of so many channels. Raises ConfigError, which says how to bring its file."""
    path = kept(channels)
    if not path.is_file():
        raise ConfigError(
            f"this avatar hears with {called(channels)}, which is not here: "
            "vcam profile import THAT_FILE"
        )
    net = _read(path).to(device)
    if isinstance(net, DeepSpeech):
        return DeepSpeechLetters(net, loudness, future)
    if net.channels != channels:
        raise WeightsError(f"{path} gives {net.channels} channels, not {channels}; import it anew")
    return RollingLetters(net, future)


def _read(path: Path) -> DeepSpeech | Wav2vec:
    if path.suffix == ".pb":
        return DeepSpeech.load(path)
    if path.name == f"{LETTERS}.safetensors":
        return DeepSpeech.load(path)
    return Wav2vec.load(path)


def _write(net: nn.Module, path: Path) -> None:
    """In half precision: a front end's rows are sums of thousands of values."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    state = {key: value.half().contiguous() for key, value in net.state_dict().items()}
    save_file(state, unfinished)
    unfinished.replace(path)
