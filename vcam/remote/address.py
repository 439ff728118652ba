"""Which machine computes: one that this was paired with, by its name, or `ssh:me@gpu-box`.

After another colon may stand vcam's path there: `ssh:me@gpu-box:PATH`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from vcam.errors import ConfigError
from vcam.remote.carrier import Carrier, over_program
from vcam.remote.sealed import over_tls
from vcam.remote.trust import Identity, Known, engines

PROGRAM = "VCAM_SSH"  # the variable that names another ssh, and its options
_SSH = re.compile(r"ssh:((?:[\w.-]+@)?\[?[\w.:-]*\w\]?)(?::([/~][^\s;&|`$<>\"'\\]*))?", re.ASCII)
_OPTIONS = ("-T", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=5", "-o", "ConnectTimeout=10")


@dataclass(frozen=True, slots=True)
class Address:
    """A far engine that ssh reaches."""

    beside: ClassVar[bool] = False  # a second login is not tried beside a silent one
    mend: ClassVar[str] = "ssh decides who may come"

    host: str  # as ssh knows it
    program: str = "vcam"  # what is started there

    @classmethod
    def read(cls, text: str) -> Address:
        """From what the user typed. Raises ConfigError."""
        found = _SSH.fullmatch(text)
        if found is None or found[1].startswith("-"):
            raise ConfigError(
                f"--engine {text:.60}: give ssh:HOST or ssh:USER@HOST, and where vcam is not on "
                "that machine's PATH ssh:USER@HOST:/path/to/vcam"
            )
        return cls(found[1], found[2] or "vcam")

    @property
    def command(self) -> list[str]:
        """What reaches an engine there, on its standard streams."""
        return self.there("serve", "--stdio")

    def there(self, *words: str) -> list[str]:
        """A command of this machine that runs that one of vcam's there."""
        ssh = shlex.split(os.environ.get(PROGRAM, "ssh"))
        return [*ssh, *_OPTIONS, "--", self.host, self.program, *words]

    def network_name(self) -> str:
        """What the network calls that machine, as ssh's own settings say."""
        typed = self.host.rpartition("@")[2].strip("[]")
        ssh = shlex.split(os.environ.get(PROGRAM, "ssh"))
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            asked = [*ssh, "-G", "--", self.host]
            told = subprocess.run(asked, capture_output=True, text=True, timeout=5).stdout
            found = re.search(r"^hostname ([\w.:%-]+)$", told, re.MULTILINE | re.ASCII)
            return found[1] if found else typed
        return typed

    def dial(self) -> Carrier:
        """A carrier to it. Raises EngineError."""
        return over_program(self.command)


@dataclass(frozen=True, slots=True)
class Paired:
    """A far engine that this machine was paired with."""

    known: Known

    beside: ClassVar[bool] = True
    mend: ClassVar[str] = "run there: vcam pair, and here what it prints"

    @property
    def host(self) -> str:
        """What people here call it."""
        return self.known.name

    def dial(self) -> Carrier:
        """A carrier to it. Raises EngineError, or ConfigError when it is another machine."""
        return over_tls(self.known, Identity.own())


Far: TypeAlias = "Address | Paired"


def far(text: str) -> Far:
    """From what the user typed: ssh:HOST, or the name of a paired engine. Raises ConfigError."""
    if text.startswith("ssh:"):
        return Address.read(text)
    if known := engines().all().get(text):
        return Paired(known)
    raise ConfigError(
        f"--engine {text:.60}: no engine of that name is paired; run there: vcam pair, and here "
        "what it prints; or give ssh:HOST (vcam engines lists those that are)"
    )
