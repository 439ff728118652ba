"""The network of `vcam.motion.viseme_net` in torch, how it is trained, and how it is exported."""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vcam.arkit import INDEX
from vcam.audio.mel import BANDS, SOFTEST
from vcam.motion.viseme_net import DILATIONS, FIRST_TAPS, TAPS
from vcam.motion.viseme_table import TABLE, VISEMES
from viseme_recipe.labels import soften
from viseme_recipe.voices import VOICES

LOOK_AHEAD = 3  # frames of 10 ms
CHANNELS = 160
CROP, BATCH = 300, 24  # frames, crops
AVERAGE = 200  # steps
SHARES = {"flite": 0.36, "festival": 0.40, "espeak": 0.24}  # of the crops
LIPS = [INDEX[name] for name in ("jawOpen", "mouthPucker", "mouthFunnel", "mouthRollLower")]


class Net(nn.Module):
    """features [B, T, BANDS] -> logits [B, T, 16]: 15 visemes and voicing, causal."""

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.convs = nn.ModuleList([nn.Conv1d(BANDS, CHANNELS, FIRST_TAPS)])
        self.convs += [nn.Conv1d(CHANNELS, CHANNELS, TAPS, dilation=step) for step in DILATIONS]
        self.out = nn.Linear(CHANNELS, len(VISEMES) + 1)
        self.drop = nn.Dropout1d(0.08)  # of whole channels: as good, and cheap

    def forward(self, features: Tensor) -> Tensor:
        x = ((features - self.mean) * self.scale).transpose(1, 2)
        x = F.relu(self.convs[0](F.pad(x, (FIRST_TAPS - 1, 0))))
        for conv, dilation in zip(self.convs[1:], DILATIONS, strict=True):
            x = x + F.relu(conv(F.pad(self.drop(x), ((TAPS - 1) * dilation, 0))))
        return self.out(x.transpose(1, 2))

    def export(self, path: Path) -> None:
        """Write what `VisemeNet` reads: float16, convolutions as [out, taps * in]."""
        arrays = {"mean": self.mean, "scale": self.scale}
        for layer, conv in enumerate(self.convs):
            arrays[f"conv{layer}"] = conv.weight.permute(0, 2, 1).flatten(1)
            arrays[f"bias{layer}"] = conv.bias
        arrays |= {"out": self.out.weight, "out_bias": self.out.bias}
        half = {name: array.detach().numpy().astype(np.float16) for name, array in arrays.items()}
        path.parent.mkdir(exist_ok=True)
        np.savez_compressed(path, look_ahead=np.int32(LOOK_AHEAD), **half)


class Streams:
    """All training voices' frames, and random crops of them."""

    def __init__(self, folders: list[Path]) -> None:
        self._voices = []
        self._odds = []
        trained = [voice for voice in VOICES if not voice.held_out]
        for folder in folders:
            for voice in trained:
                with np.load(folder / f"{voice.key}.npz") as file:
                    self._voices.append((file["mel"], soften(file["viseme"]), file["voiced"]))
                same = sum(other.engine == voice.engine for other in trained)
                self._odds.append(SHARES[voice.engine] / same / len(folders))

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean [BANDS] and 1 / standard deviation [BANDS] of the features."""
        mels = np.concatenate([np.maximum(mel[::7], SOFTEST) for mel, _, _ in self._voices])
        mels = mels.astype(np.float32)
        return torch.from_numpy(mels.mean(0)), torch.from_numpy(1 / mels.std(0))

    def frequencies(self) -> Tensor:
        """How often each viseme is drawn [15]."""
        counts = [odds * soft.astype(np.float32).mean(0)
                  for odds, (_, soft, _) in zip(self._odds, self._voices, strict=True)]  # fmt: skip
        return torch.from_numpy(np.sum(counts, axis=0))

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """features [B, T, BANDS], soft visemes [B, T, 15] and voicing [B, T] of LOOK_AHEAD back."""
        crops = [self._crop(rng, *self._voices[index])
                 for index in rng.choice(len(self._voices), BATCH, p=self._odds)]  # fmt: skip
        return tuple(torch.from_numpy(np.stack(part).astype(np.float32))  # type: ignore[return-value]
                     for part in zip(*crops, strict=True))  # fmt: skip

    def _crop(self, rng, mel, soft, voiced):
        at = int(rng.integers(LOOK_AHEAD, len(mel) - CROP))
        heard = mel[at : at + CROP].astype(np.float32) @ warp(rng.normal(1, 0.055))
        tilt = np.linspace(-1, 1, BANDS, dtype=np.float32) * rng.normal(0, 0.12)
        heard = np.maximum(heard + tilt + rng.normal(0, 0.15), SOFTEST)
        if rng.random() < 0.4:  # a few bands are lost (SpecAugment, Park et al. 2019)
            lost = int(rng.integers(0, BANDS - 6))
            heard[:, lost : lost + int(rng.integers(2, 7))] = SOFTEST
        said = slice(at - LOOK_AHEAD, at - LOOK_AHEAD + CROP)
        return heard.astype(np.float32), soft[said], voiced[said]


def warp(factor: float) -> np.ndarray:
    """Another throat: a matrix [BANDS, BANDS] that stretches the mel axis by `factor`."""
    source = np.clip(np.arange(BANDS) * factor, 0, BANDS - 1)
    near = np.abs(np.arange(BANDS)[:, None] - source)
    return np.clip(1 - near, 0, 1).astype(np.float32)


def loss_of(logits: Tensor, soft: Tensor, voiced: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross entropy + voicing + where jaw and lips are."""
    known = soft.sum(-1)
    shares = F.log_softmax(logits[..., :-1], -1)
    importance = soft @ weight
    said = (-(soft * shares).sum(-1) * importance).sum() / (importance.sum() + 1e-6)
    voice = F.binary_cross_entropy_with_logits(logits[..., -1], voiced)
    table = torch.from_numpy(TABLE[:, LIPS])
    off = ((shares.exp() - soft) @ table).square().sum(-1) * known
    return said + 0.2 * voice + 8.0 * off.mean()


def train(folders: list[Path], checkpoint: Path, steps: int, until: float) -> bool:
    """Train to `steps`, from `checkpoint` if there is one; stop at `until`. True when done."""
    streams = Streams(folders)
    net = Net(*streams.moments())
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.01)
    average, done = copy.deepcopy(net), 0  # of the last few hundred steps: steadier than the last
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(saved["net"])
        average.load_state_dict(saved.get("average", saved["net"]))
        optimiser.load_state_dict(saved["optimiser"])
        done = saved["done"]
    weight = streams.frequencies().clamp_min(1e-3) ** -0.8
    weight = weight / weight.mean()
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1.0, step / 200) * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1))),
    )
    schedule.last_epoch = done
    rng, seen, begin = np.random.default_rng(done), 0.0, done
    while done < steps and time.monotonic() < until:
        features, soft, voiced = streams.batch(rng)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(features)[:, 30:].float()
        loss = loss_of(logits, soft[:, 30:], voiced[:, 30:], weight)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), net.parameters(), strict=True):
                slow.lerp_(fast, 1 / min(done + 1, AVERAGE))
        done, seen = done + 1, seen + loss.item()
        if done % 100 == 0:
            print(f"step {done}/{steps} loss {seen / (done - begin):.3f}", flush=True)
            seen, begin = 0.0, done
    keep = {"net": net.state_dict(), "average": average.state_dict(), "done": done}
    torch.save({**keep, "optimiser": optimiser.state_dict()}, checkpoint)
    return done >= steps
