#!/usr/bin/env python3
"""HeadAudio's mouth and ours on the same held-out voices with phone times.

    python scripts/studies/rivals/score.py SPEECH_FOLDER FOLDER_OF_@met4citizen/headaudio

Its visemes are Oculus's, as ours are. It is given the delay at which it is best: its own guide
delays the voice by 50 to 100 ms. Levels are those of a call (-24 dB).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from train.viseme_recipe import phones, recordings  # noqa: E402  after the path is set
from train.viseme_recipe.labels import soften  # noqa: E402
from train.viseme_recipe.mouth import Mouth  # noqa: E402
from train.viseme_recipe.scores import NEAR, RESTING, VOWELS, _near  # noqa: E402

from vcam.audio.mel import HOP, RATE  # noqa: E402
from vcam.motion.visemes.net import WEIGHTS  # noqa: E402
from vcam.motion.visemes.table import JAW, VISEMES  # noqa: E402

THEIRS = ("aa", "E", "ih", "oh", "ou", "PP", "SS", "TH", "DD", "FF", "kk", "nn", "RR", "CH", "sil")
HALF = 0.5  # of the most that PP is shown: the lips meet
DELAYS = range(16)  # frames of 10 ms


def level(sound: np.ndarray) -> np.ndarray:
    return sound / (np.sqrt(np.mean(sound**2)) + 1e-9) * 10 ** (-24 / 20)


def theirs(folder: Path, sounds: list[np.ndarray]) -> list[np.ndarray]:
    """For each sound [frames, 16]: the active viseme, and the weight of each."""
    script = Path(__file__).with_name("headaudio.mjs")
    given = json.dumps([[round(float(v), 5) for v in sound] for sound in sounds])
    ran = subprocess.run(
        ["node", str(script), str(folder)], input=given, text=True, capture_output=True, check=True
    )
    return [np.array(frames, np.float32) for frames in json.loads(ran.stdout)]


def figures(said: list[np.ndarray], spoken: list, shown: list[np.ndarray], delay: int) -> dict:
    """Of all recordings, what is shown taken `delay` frames earlier."""
    order = [VISEMES.index(name) for name in THEIRS]
    hits = np.zeros((len(VISEMES), 2))
    jaws, closes, flaps = [], [], []
    most = max(float(frames[:, 1 + THEIRS.index("PP")].max()) for frames in shown)
    for labels, uttered, frames in zip(said, spoken, shown, strict=True):
        frames = np.concatenate([frames[delay:], np.repeat(frames[-1:], delay, 0)])
        count = min(len(labels), len(frames))
        labels, frames = labels[:count], frames[:count]
        active = frames[:, 0].astype(int)
        heard = np.where(active < 0, 0, np.array(order)[active])
        known = labels >= 0
        np.add.at(hits[:, 0], labels[known], heard[known] == labels[known])
        np.add.at(hits[:, 1], labels[known], 1)
        weights = np.zeros((count, len(VISEMES)), np.float32)
        weights[:, order] = frames[:, 1:]
        jaws.append(np.stack([(weights @ JAW)[known], (soften(labels) @ JAW)[known]]))
        shut = weights[:, VISEMES.index("PP")] > HALF * most
        start = 0.0
        for phone, end in uttered:
            around = slice(
                max(round(start * RATE / HOP) - NEAR, 0), round(end * RATE / HOP) + NEAR + 1
            )
            if phone in ("p", "b", "m"):
                closes.append(bool(shut[around].any()))
            start = end
        flaps.append(shut[np.isin(labels, VOWELS) & ~_near(np.isin(labels, RESTING), NEAR)])
    there = hits[:, 1] > 0
    return {
        "accuracy": float(np.mean(hits[there, 0] / hits[there, 1])),
        "jaw": float(np.corrcoef(*np.concatenate(jaws, 1))[0, 1]),
        "close": float(np.mean(closes)), "flap": float(np.mean(np.concatenate(flaps))),
        "delay": 10 * delay,
    }  # fmt: skip


def main() -> None:
    """Print both."""
    folder, package = Path(sys.argv[1]), Path(sys.argv[2])
    read = [one for one in recordings.read(folder) if one.held_out and one.speech]
    mouth = Mouth(WEIGHTS)
    for name, group in (
        ("native", [one for one in read if one.native]),
        ("not native", [one for one in read if not one.native][::4]),
    ):
        sounds = [level(one.sound) for one in group]
        said = [
            phones.frame_labels(one.phones, "en", len(s) // HOP)[0]
            for one, s in zip(group, sounds, strict=True)
        ]
        shown = theirs(package, sounds)
        rows = [figures(said, [one.phones for one in group], shown, d) for d in DELAYS]
        ours = mouth_row(mouth, group, sounds)
        print(name, f"{sum(map(len, sounds)) / RATE:.0f} s")
        print("  HeadAudio", max(rows, key=lambda row: row["accuracy"]))
        print(
            "  vcam     ", {key: ours[key] for key in ("accuracy", "jaw", "close", "flap", "lag")}
        )


def mouth_row(mouth: Mouth, group: list, sounds: list[np.ndarray]) -> dict[str, float]:
    from train.viseme_recipe.mouth import merged

    scored = (
        mouth.score(one.utterance, "en", s.astype(np.float32))
        for one, s in zip(group, sounds, strict=True)
    )
    return merged(scored).row()


if __name__ == "__main__":
    main()
