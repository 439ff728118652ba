"""Other programs that use the GPU, for `ladder_trial`: loaded, let loose and ended at will."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

_READY = """
import sys, time, torch
torch.zeros(1, device="cuda")
print("ready", flush=True)
sys.stdin.readline()
"""
# Takes what is free, and what becomes free, down to the last two MiB.
HOG = (
    _READY
    + """
kept, full = [], False
while True:
    size = 1 << 36
    while size >= 1 << 20:
        try:
            kept.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            size //= 2
    if not full:
        print(f"{sum(map(len, kept)) / 2**30:.1f} GiB taken, nothing is free", flush=True)
        full = True
    time.sleep(0.2)
"""
)
# Never pauses: the GPU divides its time between such a program and whoever else has work.
BURNER = (
    _READY
    + """
a = torch.randn(4096, 4096, device="cuda", dtype=torch.float16)
print("multiplies without a pause", flush=True)
while True:
    for _ in range(20):
        a @ a
    torch.cuda.synchronize()
"""
)
IDLE = """
import sys, time
print("ready", flush=True)
sys.stdin.readline()
print("no GPU: a dry run", flush=True)
time.sleep(1e6)
"""
PROGRAMS = {"memory": (HOG, 1), "half": (BURNER, 1), "most": (BURNER, 4), "reload": (HOG, 1)}


class Others:
    """The programs of one trouble. They wait, with a context of their own on the GPU."""

    def __init__(self, trouble: str, dry: bool, say: Callable[[str], None]) -> None:
        """`say` hears, on threads of ours, what they tell once they are let loose."""
        program, count = PROGRAMS.get(trouble, (IDLE, 0))
        self._say, self._ready, self._working = say, 0, 0
        self._programs = [
            subprocess.Popen(
                [sys.executable, "-c", IDLE if dry else program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(count)
        ]
        self._listeners = [
            threading.Thread(target=self._listen, args=(each,), daemon=True)
            for each in self._programs
        ]
        for listener in self._listeners:
            listener.start()

    def are_ready(self) -> bool:
        """Whether all of them may be let loose."""
        return self._ready == len(self._programs)

    def are_working(self) -> bool:
        """Whether all of them do what they are for."""
        return self._working == len(self._programs)

    def let_loose(self) -> None:
        """From now on they use the GPU."""
        for each in self._programs:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()

    def end(self) -> None:
        """Kill them; the driver takes a moment to clean up."""
        for each in self._programs:
            each.kill()

    def join(self) -> None:
        """Wait until they are gone."""
        for listener in self._listeners:
            listener.join()

    def _listen(self, program: subprocess.Popen[str]) -> None:
        assert program.stdout is not None
        with program:
            for line in program.stdout:
                if line == "ready\n":
                    self._ready += 1
                else:
                    self._working += 1
                    self._say(f"others    {line.strip()}")
