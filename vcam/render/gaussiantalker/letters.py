"""Front ends that know letters: DeepSpeech 0.1.0, and encoders of the wav2vec 2.0 family, live.

DeepSpeech hears the past exactly, and of the future as many rows as it is given; both were whole
clips in training. The other encoders see a rolling window. Neither looks at how the sound is cut:
they work on blocks of rows counted from its start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vcam.audio import cepstra
from vcam.audio.leveller import Leveller, speech_level
from vcam.audio.mel import START_DB
from vcam.audio.resample import FACTOR, Decimator
from vcam.media import FloatArray
from vcam.nets.deepspeech import DeepSpeech
from vcam.nets.wav2vec import Wav2vec
from vcam.render.gaussiantalker.rows import ROW

BLOCK = 2  # rows worked on at once: a frame of the training video
FUTURE = 10  # rows of future that are waited for, unless told otherwise
SECONDS = 4  # of sound in a rolling window
_SCALE = 32_768.0  # 16-bit numbers
_LEVELLED = Decimator.delay + 160 * FACTOR  # ticks that resampling and levelling hold back


@dataclass(frozen=True, slots=True)
class Loudness:
    """How the sound of the training video was, which a microphone is brought to."""

    mean: float = 0.0  # of the cepstra in context
    deviation: float = 1.0
    level: float = START_DB  # of speech, dB full scale

    @classmethod
    def of(cls, samples: FloatArray) -> Loudness:
        """Of a recording [n] at 16 kHz."""
        rows = cepstra.in_context(cepstra.of_clip((samples * _SCALE).astype(np.int16)))
        return cls(float(rows.mean()), float(rows.std()), speech_level(samples))


class DeepSpeechLetters:
    """DeepSpeech 0.1.0 as a stream. See `FrontEnd`."""

    channels = 29

    def __init__(self, net: DeepSpeech, loudness: Loudness, future: int = FUTURE) -> None:
        """`future`: rows that the backward memory hears past a row, at least."""
        self.ahead = (BLOCK + future + cepstra.BESIDE) * ROW + cepstra.WINDOW * FACTOR + _LEVELLED
        self._net, self._loudness, self._future = net, loudness, future
        self._device = net.letters.weight.device
        self._leveller = Leveller(loudness.level)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._leveller.reset()
        self._sound, self._before = np.zeros(0), 0.0  # emphasised, and the last sample that was not
        self._cepstra = np.zeros((cepstra.BESIDE, cepstra.BANDS))  # from the first that is needed
        nothing = torch.zeros(0, self._net.forwards.input_size, device=self._device)
        self._told, self._past = nothing, nothing[:, :0]  # rows that are not given yet
        self._memory: tuple[Tensor, Tensor] | None = None

    def hear(self, samples: FloatArray) -> Tensor:
        """See `FrontEnd.hear`."""
        self._take(self._leveller.step(samples))
        given = [torch.zeros(0, self.channels, device=self._device)]
        with torch.inference_mode():
            while len(self._cepstra) >= 2 * cepstra.BESIDE + BLOCK:
                self._remember()
                if len(self._told) >= BLOCK + self._future:
                    given.append(self._finished())
        return torch.cat(given)

    def _take(self, samples: FloatArray) -> None:
        """Append the cepstra that `samples` complete."""
        loud = samples.astype(np.float64) * _SCALE
        sound = np.concatenate([self._sound, cepstra.emphasised(loud, self._before)])
        if len(loud):
            self._before = float(loud[-1])
        while len(sound) >= cepstra.WINDOW:  # one by one: sums must not depend on how many
            row = cepstra.coefficients(sound[None, : cepstra.WINDOW])
            self._cepstra = np.concatenate([self._cepstra, row])
            sound = sound[cepstra.HOP :]
        self._sound = sound

    def _remember(self) -> None:
        """One block more of the past."""
        beside = cepstra.BESIDE
        block = self._cepstra[: 2 * beside + BLOCK]
        rows = cepstra.in_context(block)[beside : beside + BLOCK]
        self._cepstra = self._cepstra[BLOCK:]
        normal = (rows - self._loudness.mean) / self._loudness.deviation
        told = self._net.inputs(torch.from_numpy(normal).float().to(self._device))
        past, self._memory = self._net.forwards(told, self._memory)
        self._told = torch.cat([self._told, told])
        self._past = torch.cat([self._past.view(-1, past.shape[1]), past])

    def _finished(self) -> Tensor:
        """The oldest block, whose future has been heard."""
        seen = self._told[: BLOCK + self._future].flip(0)
        future, _ = self._net.backwards(seen)
        scores = self._net.scores(self._past[:BLOCK], future.flip(0)[:BLOCK])
        self._told, self._past = self._told[BLOCK:], self._past[BLOCK:]
        return scores


class RollingLetters:
    """A wav2vec 2.0 or HuBERT encoder over the last seconds. See `FrontEnd`."""

    def __init__(self, net: Wav2vec, future: int = FUTURE, block: int = BLOCK) -> None:
        """`future`: rows heard past a block before it is given."""
        self.channels = net.channels
        self.ahead = (block + future + 1) * ROW + Decimator.delay
        self._net, self._future, self._block = net, future, block
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._sound = np.zeros(SECONDS * cepstra.RATE, np.float32)
        self._pending = np.zeros(0, np.float32)
        self._skipped = 0  # blocks heard whose rows are too new to be given

    def hear(self, samples: FloatArray) -> Tensor:
        """See `FrontEnd.hear`."""
        self._pending = np.concatenate([self._pending, samples])
        step = self._block * cepstra.HOP
        given = [torch.zeros(0, self.channels, device=self._net.device)]
        # A row sees 80 samples more than the 320 between two of them.
        while len(self._pending) >= step + cepstra.WINDOW - cepstra.HOP:
            self._sound = np.concatenate([self._sound[step:], self._pending[:step]])
            ahead = self._pending[step : step + cepstra.WINDOW - cepstra.HOP]
            self._pending = self._pending[step:]
            given.append(self._rows(ahead))
        return torch.cat(given)

    def _rows(self, ahead: FloatArray) -> Tensor:
        late = -(-self._future // self._block)
        if self._skipped < late:
            self._skipped += 1
            return torch.zeros(0, self.channels, device=self._net.device)
        sound = torch.from_numpy(np.concatenate([self._sound, ahead])).to(self._net.device)
        with torch.inference_mode():
            rows: Tensor = self._net(sound[None])[0]
        end = len(rows) - late * self._block
        return rows[end - self._block : end]
