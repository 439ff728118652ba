"""One finding of `vcam doctor`."""

from __future__ import annotations

from dataclasses import dataclass, field

OF_THE_SHELL = (
    "cd ",
    "ulimit ",
    "sudo prlimit ",
)  # no script can do these for the shell that starts it


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. What is not `ok` has in `mend` what to type or do about it.

    `part` is of vcam, one of `verdict.PARTS`; `suffices` says that its part works once this is
    `ok`, whatever else is wrong there: of several cameras one is enough.
    """

    name: str
    ok: bool
    detail: str
    mend: str = ""
    by_hand: bool = False  # `mend` tells a person what to do, and is no command
    suffices: bool = False
    part: str = field(default="", compare=False)

    @property
    def command(self) -> str:
        """`mend` as a line of a script, a comment where no script can do it; "" if all is well."""
        if self.ok or not self.mend:
            return ""
        if self.by_hand or self.mend.startswith(OF_THE_SHELL):
            return f"# {self.name}: {self.mend}"
        return self.mend.replace("   (", "   # (")


def failed(name: str, told: str) -> Check:
    """A check from a sentence that ends in "; run: COMMAND", or "; what to do instead"."""
    detail, _, mend = told.partition("; run: ")
    if mend:
        return Check(name, False, detail, mend)
    detail, _, mend = told.rpartition("; ")
    return Check(name, False, detail or told, mend, by_hand=True)
