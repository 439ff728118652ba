#!/usr/bin/env python3
"""Which of fifty mutated portraits are called ready, noted or refused, beside what is true of them.

    python scripts/studies/photos/study.py [PORTRAIT ...]

Portraits are the two of the test packages, both in the public domain, or files of your own. The
exit code is 1 when one that looks wrong is ready without a note, or one that looks right refused.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from mutations import MUTATIONS, Mutation, Portrait

from tests.portraits import PORTRAITS, portrait_path
from vcam.enroll.enroll import prepare
from vcam.errors import ConfigError
from vcam.monitor.terminal import say
from vcam.photo.landmarks import Landmarker
from vcam.photo.picture import Picture, read_picture


def verdict(mutation: Mutation, of: Portrait) -> tuple[str, list[str]]:
    """ready, noted or refused, and the words."""
    try:
        enrolled = prepare(Picture(mutation.make(of), None, ""))
    except ConfigError as error:
        return "refused", [str(error)]
    words = [finding.text for finding in enrolled.findings]
    if enrolled.refusals:
        return "refused", enrolled.refusals
    return ("noted" if words else "ready"), words


def new_words(words: list[str], known: list[str]) -> list[str]:
    """Without what is said of the portrait itself."""
    return [text for text in words if text.split("(")[0] not in {k.split("(")[0] for k in known}]


def study(path: Path) -> int:
    """Print one portrait's table; how many lines are wrong."""
    photo = read_picture(path).seen
    of = Portrait(photo, Landmarker().find(photo)[0])
    known = [f.text for f in prepare(Picture(photo, None, "")).findings]
    say(f"{path.name}: of the portrait itself it is said: {'; '.join(known) or 'nothing'}")
    failures = 0
    for mutation in MUTATIONS:
        how, words = verdict(mutation, of)
        told = new_words(words, known)
        if how == "noted" and not told:
            how = "ready"
        bad = how == "ready" if mutation.wrong else how == "refused"
        failures += bad
        truth = "wrong" if mutation.wrong else "right"
        mark = "FAIL" if bad else ""
        say(f"{mutation.name:15} {truth:6} {how:8} {mark:5}{' | '.join(told)}")
    return failures


def main() -> int:
    """All portraits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("portraits", nargs="*", type=Path)
    options = parser.parse_args()
    paths = options.portraits or [portrait_path(name) for name in PORTRAITS]
    failures = sum(study(path) for path in paths)
    say(f"{failures} of {len(paths) * len(MUTATIONS)} are wrong")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
