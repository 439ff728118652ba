"""Which talk mode is acceptable, and what is wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass

from studies.motion.tables import Rows

WANTED = "talk (1,2)"
LATEST = 160  # milliseconds of latency that a conversation bears
SEAMED = "talk (8,2)"  # hops of eight frames show seams best


@dataclass(frozen=True)
class Results:
    """The four tables; an empty one was not measured."""

    quality: Rows
    silence: Rows
    cost: Rows
    endurance: Rows
    true: bool  # errors are against tracked truth, not against the chunks themselves

    def accepted(self) -> str:
        """The wanted mode if it passes, else the quickest that does, else nothing."""
        passed = [name for name in self.candidates() if not self.faults(name)]
        if WANTED in passed:
            return WANTED
        return min(passed, key=lambda name: self.quality[name]["latency ms"], default="")

    def candidates(self) -> list[str]:
        """Talk modes quick enough for a conversation."""
        talk = [name for name in self.quality if name.startswith("talk (")]
        return [name for name in talk if self.quality[name]["latency ms"] <= LATEST]

    def faults(self, name: str) -> list[str]:
        """What a mode misses, each with its figure and bar."""
        checks = self._quality(name) | self._silence() | self._cost(name) | self._endurance()
        # Not <=: a figure that is no number has not passed.
        missed = {what: pair for what, pair in checks.items() if not pair[0] <= pair[1]}
        return [f"{what} {got:.3g} > {most:.3g}" for what, (got, most) in missed.items()]

    def _quality(self, name: str) -> dict[str, tuple[float, float]]:
        row, chunk = self.quality[name], self.quality["chunk"]
        bars = {"lip jerk over chunk": 1.15, "lip p99 over chunk": 1.1}
        if self.true:
            bars |= {"lip error over chunk": 1.05, "LVE over chunk": 1.05}
        keys = {bar: bar.removesuffix(" over chunk") for bar in bars}
        checks = {bar: (row[key] / chunk[key], bars[bar]) for bar, key in keys.items()}
        return checks | {
            # Of the lips: the head's spring is so smooth between hops that its ratio says nothing.
            "lip seam at (8,2)": (self.quality[SEAMED]["seam lip"], 1.3),
            "lag ms": (abs(row["lag ms"]), 20),
            "lip energy off chunk's": (abs(row["lip energy"] / chunk["lip energy"] - 1), 0.1),
        }

    def _silence(self) -> dict[str, tuple[float, float]]:
        # Of the opening: lips that purse a little in noise are seen by nobody.
        rows = [row for name, row in self.silence.items() if name.startswith("talk, -")]
        return (
            {"silence, opening over speech": (max(row["opening"] for row in rows), 0.2)}
            if rows
            else {}
        )

    def _cost(self, name: str) -> dict[str, tuple[float, float]]:
        hop = name.split("(")[1].split(",")[0]
        shares = [
            row["p99 over the hop"] for key, row in self.cost.items() if key.startswith(f"h{hop},")
        ]
        # The first way to run a hop is the one that runs live.
        return {"cost of a hop, p99 over its time": (shares[0], 0.6)} if shares else {}

    def _endurance(self) -> dict[str, tuple[float, float]]:
        if not self.endurance:
            return {}
        whole = self.endurance["whole"]
        return {
            "memory grown in the long stream, MiB": (whole["grown MiB"], 16),
            "drift in the long stream, ticks": (whole["drift ticks"], 0),
        }


def print_verdict(results: Results) -> None:
    """A line per candidate, and the seam of the head apart."""
    print("\n## Verdict\n")
    for name in results.candidates():
        faults = results.faults(name)
        print(f"- {name}: {'misses ' + '; '.join(faults) if faults else 'passes'}")
    head = results.quality[SEAMED]["seam head"]
    print(f"- no bar: the head's seam at (8,2) is {head:.2f}, for a spring is smooth inside a hop")
    print(f"\nAccepted: {results.accepted() or f'no talk mode up to {LATEST} ms'}\n")
