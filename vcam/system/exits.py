"""How a process ended, in words: from the code that its system gave it."""

from __future__ import annotations

# What Windows calls the ends that a fault makes: NTSTATUS values of ntstatus.h.
FAULTS = {
    0xC0000005: "access violation",
    0xC0000017: "no memory",
    0xC000001D: "illegal instruction",
    0xC00000FD: "stack overflow",
    0xC0000135: "a DLL is missing",
    0xC0000142: "a DLL does not start",
    0xC0000409: "its stack was overwritten",
}


def ending(code: int | None) -> str:
    """As "signal 9", "exit code 1", or of Windows' faults "0xC0000005, access violation".

    `code` is negative for a signal, as multiprocessing and subprocess tell it.
    """
    if code is not None and code < 0:
        return f"signal {-code}"
    if code is None or code < 0x80000000:
        return f"exit code {code}"
    return ", ".join(filter(None, (f"0x{code:08X}", FAULTS.get(code))))
