"""How well a mouth fits what was said: of sounds heard, of jaws and of lips shown, at 100 Hz.

accuracy  the mean recall over the visemes that were said, frame by frame
jaw       correlation of the jaw that is shown with the one that the phones ask for
close     share of p b m in which the lips meet: jawOpen - mouthClose + half of (lower lip down +
          upper lip up) under 0.10, within 40 ms of the phone
round     share of u w in which pucker passes 0.20
teeth     share of f v in which the lower lip is rolled in past 0.22 and the upper one lifted
tongue    share of th dh l in which the tongue's tip shows past 0.05
flap      share of frames within vowels, 40 ms from any p b m or pause, in which the lips meet
gape      share of frames of pauses, 100 ms from any sound, in which the jaw is over 0.08
steep     the largest share of the jaw's range that one frame of 33 ms takes
hard      frames of 33 ms in a thousand that take more than 0.35 of the range
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from train.viseme_recipe import phones
from train.viseme_recipe.labels import soften

from vcam.arkit import INDEX
from vcam.audio.mel import HOP, RATE
from vcam.motion.visemes.table import JAW, VISEMES

SIZE = len(VISEMES)
NEAR = 4  # frames
MEET, PUCKERED, ROLLED, LIFTED, TIP, GAPING = 0.10, 0.20, 0.22, 0.03, 0.05, 0.08
VOWELS = [VISEMES.index(name) for name in ("aa", "E", "ih", "oh", "ou")]
RESTING = [VISEMES.index("sil"), VISEMES.index("PP")]
VIDEO = 10 / 3  # of our frames in one at 30 fps


def gap(weights: np.ndarray) -> np.ndarray:
    """How far the lips are apart [frames], of weights [frames, 52]."""
    lips = [f"mouth{part}{side}" for part in ("LowerDown", "UpperUp") for side in ("Left", "Right")]
    parted = sum(weights[:, INDEX[name]] for name in lips) / 4
    return weights[:, INDEX["jawOpen"]] - weights[:, INDEX["mouthClose"]] + parted


def _shown(weights: np.ndarray) -> dict[str, np.ndarray]:
    """For each kind of gesture, whether it is seen [frames]."""
    rolled = weights[:, INDEX["mouthRollLower"]] > ROLLED
    return {
        "close": gap(weights) < MEET,
        "round": weights[:, INDEX["mouthPucker"]] > PUCKERED,
        "teeth": rolled & (weights[:, INDEX["mouthUpperUpLeft"]] > LIFTED),
        "tongue": weights[:, INDEX["tongueOut"]] > TIP,
    }


GESTURES = {"close": ("p", "b", "m"), "round": ("uw", "w"), "teeth": ("f", "v"),
            "tongue": ("th", "dh", "l")}  # fmt: skip


def _near(mask: np.ndarray, frames: int) -> np.ndarray:
    """Where `mask` [n] holds within so many frames."""
    return np.convolve(mask, np.ones(2 * frames + 1), "same") > 0.5


def _correlation(some: np.ndarray, others: np.ndarray) -> float:
    """Of two curves [n]; 0 where one does not move."""
    if min(some.std(), others.std()) < 1e-6:
        return 0.0
    return float(np.corrcoef(some, others)[0, 1])


@dataclass
class Score:
    """What was counted so far."""

    confusion: np.ndarray = field(default_factory=lambda: np.zeros((SIZE, SIZE), int))
    frames: int = 0
    _shown: list[np.ndarray] = field(default_factory=list)
    _wanted: list[np.ndarray] = field(default_factory=list)
    _hits: dict[str, list[float]] = field(default_factory=dict)

    def add(
        self, spoken: list[tuple[str, float]], said: np.ndarray, heard: np.ndarray, face: np.ndarray
    ) -> None:
        """Phones with their ends, visemes said and heard [frames], and the face [frames, 52]."""
        known = said >= 0
        np.add.at(self.confusion, (said[known], heard[known]), 1)
        jaw = face[:, INDEX["jawOpen"]]
        self.frames += len(said)
        self._shown.append(jaw[known])
        self._wanted.append((soften(said) @ JAW)[known])
        self._count_gestures(spoken, face)
        self._count_frames(said, face)
        video = np.interp(np.arange(0, len(jaw) - 1, VIDEO), np.arange(len(jaw)), jaw)
        self._hit("moves", np.abs(np.diff(video)))

    def _hit(self, name: str, values: np.ndarray | list[float]) -> None:
        self._hits.setdefault(name, []).extend(np.asarray(values, float).tolist())

    def _count_gestures(self, spoken: list[tuple[str, float]], face: np.ndarray) -> None:
        seen, start = _shown(face), 0.0
        for phone, end in spoken:
            first = max(round(start * RATE / HOP) - NEAR, 0)
            around = slice(first, round(end * RATE / HOP) + NEAR + 1)
            for gesture, belonging in GESTURES.items():
                if phone in belonging and len(seen[gesture][around]):
                    self._hit(gesture, [seen[gesture][around].any()])
            start = end

    def _count_frames(self, said: np.ndarray, face: np.ndarray) -> None:
        vowel = np.isin(said, VOWELS) & ~_near(np.isin(said, RESTING), NEAR)
        pause = ~_near(said != 0, 10)
        self._hit("flap", gap(face)[vowel] < MEET)
        self._hit("gape", face[pause, INDEX["jawOpen"]] > GAPING)

    @property
    def accuracy(self) -> float:
        said = self.confusion.sum(axis=1)
        return float(np.mean(self.confusion.diagonal()[said > 0] / said[said > 0]))

    @property
    def jaw(self) -> float:
        return _correlation(np.concatenate(self._shown), np.concatenate(self._wanted))

    def lag(self) -> int:
        """Milliseconds that the jaw comes late."""
        shifts = range(-3, 7)
        return 10 * max(shifts, key=self._jaw_shifted)

    def _jaw_shifted(self, shift: int) -> float:
        size = min(map(len, self._shown))
        if size < 20:
            return 0.0
        pairs = [(shown[max(shift, 0) : len(shown) + min(shift, 0)],
                  wanted[max(-shift, 0) : len(wanted) - max(shift, 0)])
                 for shown, wanted in zip(self._shown, self._wanted, strict=True)]  # fmt: skip
        shown, wanted = (np.concatenate(part) for part in zip(*pairs, strict=True))
        return _correlation(shown, wanted)

    def merge(self, other: Score) -> None:
        self.confusion += other.confusion
        self.frames += other.frames
        self._shown += other._shown
        self._wanted += other._wanted
        for name, values in other._hits.items():
            self._hit(name, values)

    def row(self) -> dict[str, float]:
        """All figures by name, those that were not there left out."""
        row = {"accuracy": self.accuracy, "jaw": self.jaw, "lag": self.lag()}
        row |= {name: float(np.mean(hits)) for name, hits in self._hits.items()
                if hits and name != "moves"}  # fmt: skip
        moves, jaws = np.array(self._hits["moves"]), np.concatenate(self._shown)
        reach = max(float(np.ptp(jaws)), 0.1)
        row |= {
            "steep": float(moves.max()) / reach,
            "hard": 1e3 * float(np.mean(moves > 0.35 * reach)),
        }
        return {name: round(value, 3) for name, value in row.items()} | {"s": self.frames // 100}


COLUMNS = ("accuracy", "jaw", "lag", "close", "round", "teeth", "tongue", "flap", "gape", "steep",
           "hard", "s")  # fmt: skip


def heading(width: int) -> str:
    return " " * width + "".join(f"{name:>9}" for name in COLUMNS)


def line(name: str, row: dict[str, float], width: int) -> str:
    return f"{name:{width}}" + "".join(f"{row.get(column, ''):>9}" for column in COLUMNS)


def ceiling(spoken: list[tuple[str, float]], frames: int, rng: np.random.Generator) -> Score:
    """A mouth that makes no mistake, judged by labels whose times are as wrong as an aligner's.

    Boundaries move by a Laplace error of 11.5 ms in the median (a forced alignment against hand
    labels); its wrong phones are not counted, so that the true ceiling lies lower.
    """
    said, _ = phones.frame_labels(spoken, "en", frames)
    ends = np.array([end for _, end in spoken]) + rng.laplace(0, 0.0115 / np.log(2), len(spoken))
    moved = [(name, float(end)) for (name, _), end in
             zip(spoken, np.maximum.accumulate(np.maximum(ends, 0)), strict=True)]  # fmt: skip
    meant, _ = phones.frame_labels(moved, "en", frames)
    face = np.zeros((frames, len(INDEX)), np.float32)
    face[:, INDEX["jawOpen"]] = soften(meant) @ JAW
    score = Score()
    score.add(spoken, said, np.maximum(meant, 0), face)
    return score
