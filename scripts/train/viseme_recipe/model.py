"""The network of `vcam.motion.visemes.net` in torch, how it is trained, and how it is exported."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from train.viseme_recipe.labels import soften

from vcam.arkit import INDEX
from vcam.audio.mel import BANDS, SOFTEST
from vcam.motion.visemes.net import ANSWERS, DILATIONS, FIRST_TAPS, NEWER, TAPS
from vcam.motion.visemes.table import TABLE, VISEMES

LOOK_AHEAD = 4  # frames of 10 ms
CHANNELS = 224
CROP, BATCH = 300, 24  # frames, crops
AVERAGE = 200  # steps
DROPPED = 0.15  # of the channels
KEPT = 500  # steps between two checkpoints
SHARES = {  # of the crops
    "flite": 0.15, "festival": 0.19, "espeak": 0.12, "kokoro": 0.16, "native": 0.19,
    "accented": 0.18, "nobody": 0.01,
}  # fmt: skip
CLOSURES = {"PP": 1.6, "FF": 1.2, "TH": 1.2}  # weigh more than their rarity asks: they are seen
TONGUE_WEIGHT = 3.0  # of a frame that shows the tongue's tip: one in fourteen does
LIPS = [INDEX[name] for name in ("jawOpen", "mouthPucker", "mouthFunnel", "mouthRollLower")]


class Net(nn.Module):
    """features [B, T, BANDS] -> logits [B, T, ANSWERS] as in `vcam.motion.visemes.net`, causal."""

    def __init__(self, mean: Tensor, scale: Tensor, channels: int = CHANNELS) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.convs = nn.ModuleList([nn.Conv1d(BANDS, channels, FIRST_TAPS)])
        self.convs += [nn.Conv1d(channels, channels, TAPS, dilation=step) for step in DILATIONS]
        self.out = nn.Linear(channels, ANSWERS)
        self.drop = nn.Dropout1d(DROPPED)  # of whole channels: as good, and cheap

    def forward(self, features: Tensor) -> Tensor:
        x = ((features - self.mean) * self.scale).transpose(1, 2)
        x = F.relu(self.convs[0](F.pad(x, (FIRST_TAPS - 1, 0))))
        for conv, dilation in zip(self.convs[1:], DILATIONS, strict=True):
            x = x + F.relu(conv(F.pad(self.drop(x), ((TAPS - 1) * dilation, 0))))
        return self.out(x.transpose(1, 2))

    @classmethod
    def read(cls, path: Path) -> Net:
        """What `export` wrote, to go on from."""
        with np.load(path) as file:
            arrays = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files}
        net = cls(arrays["mean"], arrays["scale"], arrays["out"].shape[1])
        with torch.no_grad():
            for layer, conv in enumerate(net.convs):
                taps = arrays[f"conv{layer}"].unflatten(1, (conv.kernel_size[0], -1))
                conv.weight.copy_(taps.permute(0, 2, 1))
                conv.bias.copy_(arrays[f"bias{layer}"])
            net.out.weight.copy_(arrays["out"])
            net.out.bias.copy_(arrays["out_bias"])
        return net

    def widened(self, channels: int = CHANNELS) -> Net:
        """One that answers nearly the same with more channels (after Chen, Goodfellow and Shlens,
        "Net2Net", 2016): the new ones start at random and are hardly listened to."""
        wide, had = Net(self.mean, self.scale, channels), self.out.in_features
        with torch.no_grad():
            for old, new in zip(self.convs, wide.convs, strict=True):
                inputs = old.in_channels
                new.weight[:had, inputs:] *= 0.02
                new.weight[:had, :inputs] = old.weight
                new.bias[:had] = old.bias
            wide.out.weight.zero_()
            wide.out.weight[:, :had] = self.out.weight
            wide.out.bias.copy_(self.out.bias)
        return wide

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
        shares = []
        for path in sorted(path for folder in folders for path in folder.glob("*.npz")):
            with np.load(path) as file:
                self._voices.append((file["mel"], soften(file["viseme"]), file["tongue"]))
            shares.append(path.stem.partition("_")[0])
        self._odds = np.array([SHARES[share] / shares.count(share) for share in shares])
        self._odds /= self._odds.sum()  # without recordings or neural voices the others are all

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean [BANDS] and 1 / standard deviation [BANDS] of the features."""
        mels = np.concatenate([np.maximum(mel[::7], SOFTEST) for mel, _, _ in self._voices])
        mels = mels.astype(np.float32)
        return torch.from_numpy(mels.mean(0)), torch.from_numpy(1 / mels.std(0))

    def frequencies(self) -> Tensor:
        """How often each viseme is drawn [15]."""
        counts = [odds * soft.astype(np.float32).mean(0)
                  for odds, (_, soft, _) in zip(self._odds, self._voices, strict=True)]  # fmt: skip
        return torch.from_numpy(np.sum(counts, axis=0).astype(np.float32))

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """features [B, T, BANDS]; of LOOK_AHEAD back, visemes [B, T + NEWER, 15], tongue [B, T]."""
        crops = [self._crop(rng, *self._voices[index])
                 for index in rng.choice(len(self._voices), BATCH, p=self._odds)]  # fmt: skip
        return tuple(torch.from_numpy(np.stack(part).astype(np.float32))  # type: ignore[return-value]
                     for part in zip(*crops, strict=True))  # fmt: skip

    def _crop(self, rng, mel, soft, tongue):
        at = int(rng.integers(LOOK_AHEAD, len(mel) - CROP))
        heard = mel[at : at + CROP].astype(np.float32) @ warp(rng.normal(1, 0.055))
        tilt = np.linspace(-1, 1, BANDS, dtype=np.float32) * rng.normal(0, 0.12)
        heard = np.maximum(heard + tilt + rng.normal(0, 0.15), SOFTEST)
        if rng.random() < 0.4:  # a few bands are lost (SpecAugment, Park et al. 2019)
            lost = int(rng.integers(0, BANDS - 6))
            heard[:, lost : lost + int(rng.integers(2, 7))] = SOFTEST
        said = slice(at - LOOK_AHEAD, at - LOOK_AHEAD + CROP)
        known = slice(said.start, said.stop + NEWER)
        return heard.astype(np.float32), soft[known], tongue[said]


def warp(factor: float) -> np.ndarray:
    """Another throat: a matrix [BANDS, BANDS] that stretches the mel axis by `factor`."""
    source = np.clip(np.arange(BANDS) * factor, 0, BANDS - 1)
    near = np.abs(np.arange(BANDS)[:, None] - source)
    return np.clip(1 - near, 0, 1).astype(np.float32)


def loss_of(logits: Tensor, soft: Tensor, tongue: Tensor, weight: Tensor) -> Tensor:
    """Of logits [B, T, ANSWERS] for visemes [B, T + NEWER, 15] and the tongue [B, T]."""
    size, frames = len(VISEMES), logits.shape[1]
    rare = torch.tensor(TONGUE_WEIGHT)
    tip = F.binary_cross_entropy_with_logits(logits[..., size], tongue, pos_weight=rare)
    visemes = torch.cat([logits[..., :size], logits[..., size + 1 :]], -1).unflatten(-1, (-1, size))
    said = [visemes_loss(visemes[:, :, newer], soft[:, newer : newer + frames], weight)
            for newer in range(1 + NEWER)]  # fmt: skip
    return torch.stack(said).mean() + 0.2 * tip


def visemes_loss(logits: Tensor, soft: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross entropy [B, T, 15] + where jaw and lips are."""
    known = soft.sum(-1)
    shares = F.log_softmax(logits, -1)
    importance = soft @ weight
    said = (-(soft * shares).sum(-1) * importance).sum() / (importance.sum() + 1e-6)
    table = torch.from_numpy(TABLE[:, LIPS])
    off = ((shares.exp() - soft) @ table).square().sum(-1) * known
    return said + 8.0 * off.mean()


def weights_of(frequencies: Tensor) -> Tensor:
    """How much a frame of each viseme [15] weighs in the loss: the rarer, the more."""
    weight = 1 / frequencies.clamp_min(1e-3)
    weight = weight / weight.mean()
    for viseme, more in CLOSURES.items():
        weight[VISEMES.index(viseme)] *= more
    return weight


def halves_are_quick(able: Mapping[str, object]) -> bool:
    """Whether a processor of `torch.cpu.get_capabilities` multiplies bfloat16 itself.

    One that does not imitates it, at ten times the price of float32 (AVX2: 9.6 s a step for 0.9).
    """
    return any(able.get(name) for name in ("amx_bf16", "avx512_bf16"))


class Training:
    """A network, the mean of its last few hundred steps, and how far they are."""

    def __init__(self, net: Net, steps: int, rate: float) -> None:
        self.net, self.average, self.done, self._steps = net, copy.deepcopy(net), 0, steps
        able = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
        self._halves = halves_are_quick(able)
        self._optimiser = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.01)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimiser,
            lambda step: (
                min(1.0, step / 200) * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1)))
            ),
        )

    def step(self, batch: tuple[Tensor, Tensor, Tensor], weight: Tensor) -> float:
        """One batch on; the loss."""
        features, soft, tongue = batch
        with torch.autocast("cpu", torch.bfloat16, enabled=self._halves):
            logits = self.net(features)[:, 30:].float()
        loss = loss_of(logits, soft[:, 30:], tongue[:, 30:], weight)
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self._optimiser.step()
        self._schedule.step()
        self.done += 1
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.net.parameters(), strict=True):
                slow.lerp_(fast, 1 / min(self.done, AVERAGE))
        return loss.item()

    def restore(self, checkpoint: Path) -> None:
        saved = torch.load(checkpoint, weights_only=True)
        self.net.load_state_dict(saved["net"])
        self.average.load_state_dict(saved["average"])
        self._optimiser.load_state_dict(saved["optimiser"])
        self._schedule.last_epoch = self.done = saved["done"]

    def keep(self, checkpoint: Path) -> None:
        nets = {"net": self.net.state_dict(), "average": self.average.state_dict()}
        torch.save(
            {**nets, "done": self.done, "optimiser": self._optimiser.state_dict()}, checkpoint
        )


def train(
    streams: Streams, net: Net, checkpoint: Path, steps: int, rate: float, until: float
) -> tuple[Net, bool]:
    """Train `net` to `steps`, or go on from `checkpoint`; stop at `until`.

    Gives the mean of the last steps' networks, and whether all steps are done.
    """
    training = Training(net, steps, rate)
    if checkpoint.exists():
        training.restore(checkpoint)
    weight = weights_of(streams.frequencies())
    rng, seen = np.random.default_rng(training.done), 0.0
    while training.done < steps and time.monotonic() < until:
        seen += training.step(streams.batch(rng), weight)
        if training.done % 100 == 0:
            print(f"step {training.done}/{steps} loss {seen / 100:.3f}", flush=True)
            seen = 0.0
        if training.done % KEPT == 0:
            training.keep(checkpoint)
            training.average.export(checkpoint.with_suffix(".npz"))
    training.keep(checkpoint)
    return training.average, training.done >= steps
