#!/usr/bin/env python3
"""HeadAudio's mouth and ours on the same held-out voices with phone times.

    python scripts/studies/rivals/score.py SPEECH PACKAGE [--seconds S]

PACKAGE is the folder of @met4citizen/headaudio. With --seconds so much of each group is taken, a
recording of each speaker in turn. Its visemes are Oculus's, as ours are. It is given the delay at
which it is best: its own guide delays the voice by 50 to 100 ms. Levels are a call's (-24 dB).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from itertools import chain, zip_longest
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
    shown = []
    for number, sound in enumerate(sounds, 1):
        given = json.dumps([[round(float(v), 5) for v in sound]])
        ran = subprocess.run(
            ["node", str(script), str(folder)],
            input=given,
            text=True,
            capture_output=True,
            check=True,
        )
        shown.append(np.array(json.loads(ran.stdout)[0], np.float32))
        print(f"  heard {number} of {len(sounds)}", file=sys.stderr)
    return shown


def share(read: list, seconds: float) -> list:
    """A recording of each speaker in turn, until so many seconds are there; 0: all."""
    if not seconds:
        return read
    speakers: dict[str, list] = {}
    for one in read:
        speakers.setdefault(one.speaker, []).append(one)
    chosen, length = [], 0.0
    for one in filter(None, chain.from_iterable(zip_longest(*speakers.values()))):
        if length >= seconds:
            break
        chosen.append(one)
        length += len(one.sound) / RATE
    return chosen


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("speech", type=Path)
    parser.add_argument("package", type=Path)
    parser.add_argument("--seconds", type=float, default=0, help="of each group; 0: all")
    options = parser.parse_args()
    read = [one for one in recordings.read(options.speech) if one.held_out and one.speech]
    mouth = Mouth(WEIGHTS)
    for name, native in (("native", True), ("not native", False)):
        group = share([one for one in read if one.native is native], options.seconds)
        sounds = [level(one.sound) for one in group]
        said = [
            phones.frame_labels(one.phones, "en", len(s) // HOP)[0]
            for one, s in zip(group, sounds, strict=True)
        ]
        ours = mouth_row(mouth, group, sounds)
        shown = theirs(options.package, sounds)
        rows = [figures(said, [one.phones for one in group], shown, d) for d in DELAYS]
        people = len({one.speaker for one in group})
        print(f"{name}: {sum(map(len, sounds)) / RATE:.0f} s of {people} people")
        print("  HeadAudio", max(rows, key=lambda row: row["accuracy"]))
        names = ("accuracy", "jaw", "close", "flap", "lag")
        print("  vcam     ", {key: ours[key] for key in names}, flush=True)


def mouth_row(mouth: Mouth, group: list, sounds: list[np.ndarray]) -> dict[str, float]:
    from train.viseme_recipe.mouth import merged

    scored = (
        mouth.score(one.utterance, "en", s.astype(np.float32))
        for one, s in zip(group, sounds, strict=True)
    )
    return merged(scored).row()


if __name__ == "__main__":
    main()
