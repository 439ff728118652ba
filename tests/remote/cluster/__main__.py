"""What `scripts/cluster_demo` runs: a cluster on this machine, sessions, a death, an end."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.remote.cluster.sessions import OPENS, Crowd, quantiles, share
from tests.remote.cluster.stand import Stand
from vcam.audio.wav import read_wav
from vcam.cli.options import SAMPLE
from vcam.monitor.terminal import say, tell
from vcam.profiles import profile

CALM = 4.0  # seconds in which a new session finds its pace; they are not judged
ENOUGH = 0.995  # share of frames on time below which a session does not fit


@dataclass(frozen=True)
class Row:
    """So many sessions at once; the worst of them."""

    sessions: int
    opened: float  # seconds until the newest one's first picture
    p50: float  # milliseconds from the end of a picture's sound until it came
    p95: float
    on_time: float
    load: float
    trouble: str  # what broke, if anything


def one_more(crowd: Crowd, seconds: float) -> Row:
    """A session joins, and all are judged together."""
    began, joined = time.monotonic(), crowd.join()
    opened = crowd.speak(OPENS, lambda: joined.seen >= 0)
    taken = time.monotonic() - began
    crowd.speak(CALM)
    crowd.forget()
    crowd.speak(seconds)
    worst = min(crowd.sessions, key=share)
    p50, p95 = max((quantiles(each.late) for each in crowd.sessions), key=lambda pair: pair[1])
    trouble = "" if opened else f"no picture came: {joined.process.note}"
    if opened and share(worst) < ENOUGH:
        behind = f"{1 - share(worst):.1%} of one session's frames were late or left out"
        trouble = f"{behind}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    load = round(os.getloadavg()[0], 1)
    count = len(crowd.sessions)
    return Row(count, round(taken, 1), p50, p95, round(share(worst), 4), load, trouble)


def death(stand: Stand, crowd: Crowd) -> dict[str, float]:
    """A replica with a session is killed: how long until that session has pictures again."""
    crowd.forget()
    before = {id(each): each.seen for each in crowd.sessions}
    stand.replicas(live=True)[0].kill()
    killed = time.monotonic()
    crowd.speak(1.0)
    hit = min(crowd.sessions, key=lambda each: each.seen - before[id(each)])
    silent = hit.came
    back = crowd.speak(OPENS, lambda: hit.came > max(silent, killed + 1.0))
    others = [each for each in crowd.sessions if each is not hit]
    kept = min((share(each) for each in others), default=float("nan"))
    return {"back": round(hit.came - killed, 1) if back else -1.0, "others": round(kept, 4)}


def main() -> None:
    """Print the table, and as the last line the same as JSON."""
    parser = argparse.ArgumentParser(prog="scripts/cluster_demo", description=__doc__)
    parser.add_argument("--sessions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each row")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--look", default="", help="of the demo avatar, such as river")
    parser.add_argument("--gpu", type=float, default=0.0, help="share of a GPU for each engine")
    options = parser.parse_args()
    demo = profile.load("demo")
    face = profile.wearing(options.look, demo) if options.look else demo
    with tempfile.TemporaryDirectory(prefix="vcam-demo-") as name:
        told = shown(Path(name), options, face)
    tell(json.dumps(told))


def shown(folder: Path, options: argparse.Namespace, face: profile.Profile) -> dict[str, object]:
    """All of it, with one engine to spare."""
    count = options.sessions
    say("starting Ray and the engines; that takes half a minute or more")
    with Stand(folder, count + 1, count, "--gpu", str(options.gpu)) as stand:
        say(f"{count + 1} engines were ready after {stand.started:.0f} s")
        crowd = Crowd(stand.starting(options.size), face, read_wav(SAMPLE).samples)
        try:
            rows = held(crowd, count, options.seconds)
            died = death(stand, crowd)
        finally:
            crowd.close()
        say(f"a replica was killed: its session had pictures again after {died['back']} s;")
        say(f"of the others' frames {died['others']:.1%} were on time meanwhile")
        began = time.monotonic()
        code = stand.end()
        ended = round(time.monotonic() - began, 1)
        say(f"ended in {ended} s, with exit code {code}")
    return {
        "started": round(stand.started, 1),
        "rows": [asdict(row) for row in rows],
        "death": died,
        "ended": ended,
    }


def held(crowd: Crowd, count: int, seconds: float) -> list[Row]:
    """The table."""
    rows = list[Row]()
    say("| sessions | first picture after, s | p50 / p95, ms | on time | load | trouble |")
    say("|---|---|---|---|---|---|")
    while len(rows) < count:
        row = one_more(crowd, seconds)
        rows.append(row)
        figures = f"{row.opened} | {row.p50} / {row.p95} | {row.on_time:.2%} | {row.load}"
        say(f"| {row.sessions} | {figures} | {row.trouble or 'none'} |")
    broke = next((row for row in rows if row.trouble), None)
    first = f"at {broke.sessions}: {broke.trouble}" if broke else "nothing"
    say(f"sessions held: {(broke.sessions - 1) if broke else count}; what broke first: {first}")
    return rows


if __name__ == "__main__":
    main()
