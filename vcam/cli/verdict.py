"""What `vcam doctor` concludes: what can be done here now, and what is missing for the rest."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from rich.text import Text

from vcam.cli.findings import Check
from vcam.monitor.terminal import say, text

CORE, FILMS, SOUND, CAMERA, PHOTO, NEURAL, ROOM = PARTS = (
    "core", "films", "sound", "camera", "photo", "neural", "room",
)  # fmt: skip
ABILITIES = {  # what can be done, the words for it, and the parts of vcam that it needs
    "film": ("films", (CORE, FILMS)),
    "demo": ("the demo", (CORE, FILMS)),
    "puppet": ("a puppet of your photo", (CORE, PHOTO)),
    "call": ("a call", (CORE, SOUND, CAMERA)),
    "neural": ("neural faces", (CORE, NEURAL)),
}
OPTIONAL = (PHOTO, NEURAL)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The findings, and what follows."""

    checks: Sequence[Check]

    def lacking(self, ability: str) -> list[str]:
        """The names of what is missing for one of `ABILITIES`; none: it can be done."""
        parts = ABILITIES[ability][1]
        return [check.name for part in parts for check in self._of(part) if self._keeps_from(check)]

    @property
    def can(self) -> dict[str, bool]:
        """What can be done here now."""
        return {ability: not self.lacking(ability) for ability in ABILITIES}

    def is_needed(self, check: Check) -> bool:
        """Whether people miss something without it, who want no photo and no neural face."""
        return check.part not in OPTIONAL and not self._is_spared(check)

    def as_json(self) -> dict[str, object]:
        """All of it, for programs."""
        return {
            "can": self.can,
            "missing": {name: missing for name in ABILITIES if (missing := self.lacking(name))},
            "checks": [asdict(check) | {"needed": self.is_needed(check)} for check in self.checks],
        }

    def script(self) -> str:
        """All mends as one script for sh, or for PowerShell, whose comments begin as sh's do.

        Those that a call can do without are commented out.
        """
        wrong = [check for check in self.checks if check.command]
        needed = _once(check.command for check in wrong if self.is_needed(check))
        rest = [check.command for check in wrong if not self.is_needed(check)]
        lines = [] if sys.platform == "win32" else ["#!/bin/sh"]
        lines += ["# What `vcam doctor` would mend here. Read it before you run it."]
        lines += needed or ["# Nothing that a call needs is missing."]
        if other := [line for line in _once(rest) if line not in needed]:
            lines += ["# Optional:", *(f"# {line.removeprefix('# ')}" for line in other)]
        return "\n".join(lines)

    def tell(self) -> None:
        """Say it to people: the verdict first."""
        can = [words for name, (words, _) in ABILITIES.items() if self.can[name]]
        say(f"You can have: {', '.join(can) or 'nothing yet'}.", "bold green" if can else "bold")
        for name, (words, _) in ABILITIES.items():
            if missing := self.lacking(name):
                say(f"Not yet: {words}, for which is missing: {', '.join(missing)}.", "bold")
        self.tell_findings()

    def tell_findings(self) -> None:
        """Each of them, with its mend."""
        width = max((len(check.name) for check in self.checks), default=0)
        for check in self.checks:
            self._tell_one(check, width)

    def _tell_one(self, check: Check, width: int) -> None:
        mark = ("✗", "red") if self.is_needed(check) else ("–", "yellow")
        mark = ("✓", "green") if check.ok else mark
        name = text(f"{check.name:{width}}", "bold")
        say(Text.assemble(mark, " ", name, "  ", text(check.detail)))
        if not check.ok and check.mend:
            say(f"    mend it:  {check.mend}", "cyan")

    def _of(self, part: str) -> list[Check]:
        return [check for check in self.checks if check.part == part]

    def _keeps_from(self, check: Check) -> bool:
        return not check.ok and not self._is_spared(check)

    def _is_spared(self, check: Check) -> bool:
        """Whether its part works by something else."""
        return any(each.ok and each.suffices for each in self._of(check.part))


def _once(lines: Iterable[str]) -> list[str]:
    """Without what comes twice."""
    return list(dict.fromkeys(lines))
