"""What a voice is heard through when the viseme network is scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.signal import butter, resample_poly, sosfilt
from train.viseme_recipe import augment
from train.viseme_recipe.voices import RATE

LEVEL_DB = -24.0
BEFORE = 30  # frames of a quiet room before the first word, not scored
_ROOM_DB = -72.0

Hearing = Callable[[np.random.Generator, np.ndarray, Sequence[np.ndarray]], np.ndarray]


def _added(make: Callable[..., np.ndarray], snr: float, with_others: bool = False) -> Hearing:
    def hear(
        rng: np.random.Generator, sound: np.ndarray, others: Sequence[np.ndarray]
    ) -> np.ndarray:
        extra = make(rng, len(sound), others) if with_others else make(rng, len(sound))
        return sound + 10 ** (-snr / 20) * extra / (np.sqrt(np.mean(extra**2)) + 1e-9)

    return hear


def _fan(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Steady noise, falling 6 dB an octave above 300 Hz."""
    return sosfilt(butter(1, 300, fs=RATE, output="sos"), rng.standard_normal(samples))


def _telephone(
    rng: np.random.Generator, sound: np.ndarray, others: Sequence[np.ndarray]
) -> np.ndarray:
    """300 to 3400 Hz and the 8 bits of mu-law (G.711), 18 dB of headroom."""
    narrow = sosfilt(butter(4, (300, 3400), "bandpass", fs=RATE, output="sos"), sound)
    scaled = np.clip(narrow / 8, -1, 1)
    pressed = np.sign(scaled) * np.log1p(255 * np.abs(scaled)) / np.log(256)
    steps = np.round(pressed * 127) / 127
    return 8 * np.sign(steps) * np.expm1(np.abs(steps) * np.log(256)) / 255


def _laptop(
    rng: np.random.Generator, sound: np.ndarray, others: Sequence[np.ndarray]
) -> np.ndarray:
    """A room of 0.35 s heard by a small microphone, with the machine's fan 25 dB below."""
    heard = augment.reverberant(rng, sound, 0.35, 2.0)
    heard = sosfilt(butter(2, (180, 6500), "bandpass", fs=RATE, output="sos"), heard)
    heard = heard / (np.sqrt(np.mean(heard**2)) + 1e-9)
    return _added(_fan, 25)(rng, heard, others)


def _opus(rng: np.random.Generator, sound: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """As a far engine hears it over a thin link: coded at 48 kHz, the coder's 2.5 ms taken off."""
    from vcam.remote.opus import BLOCK, LATER, Decoder, Encoder

    level = 10 ** (LEVEL_DB / 20)
    fine = resample_poly(level * sound, 3, 1).astype(np.float32)
    whole = np.pad(fine, (0, LATER + -(len(fine) + LATER) % BLOCK)).reshape(-1, BLOCK)
    coder, decoder = Encoder(), Decoder()
    heard = [decoder.decode(0, coder.encode(block)).samples for block in whole]
    return resample_poly(np.concatenate(heard)[LATER:][: len(fine)], 1, 3) / level


CONDITIONS: dict[str, Hearing] = {
    "clean": lambda rng, sound, others: sound,
    **{f"babble {snr}": _added(augment.babble, snr, True) for snr in (20, 10, 5)},
    **{f"keyboard {snr}": _added(augment.clicks, snr) for snr in (20, 10, 5)},
    **{f"fan {snr}": _added(_fan, snr) for snr in (20, 10, 5)},
    "telephone": _telephone,
    "laptop": _laptop,
    "reverb": lambda rng, sound, others: augment.reverberant(rng, sound, 0.6, 0.0),
    "opus": _opus,
    "quiet": lambda rng, sound, others: 10 ** (-22 / 20) * sound,
}


def heard(
    condition: str, rng: np.random.Generator, sound: np.ndarray, others: Sequence[np.ndarray]
) -> np.ndarray:
    """`sound` [n] at the level of a call under `condition`, after BEFORE frames of a quiet room."""
    sound = sound / (np.sqrt(np.mean(sound**2)) + 1e-9)
    sound = np.pad(sound, (BEFORE * RATE // 100, 0))
    made = 10 ** (LEVEL_DB / 20) * CONDITIONS[condition](rng, sound, others)
    made = made + 10 ** (_ROOM_DB / 20) * rng.standard_normal(len(made))
    return np.clip(made, -1, 1).astype(np.float32)
