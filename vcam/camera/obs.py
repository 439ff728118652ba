"""Whether OBS's camera is registered with Windows, as pyvirtualcam needs it to be.

A folder of OBS says nothing: portable copies and the Store's register no filter, and what a
program can send into is the filter alone.
"""

from __future__ import annotations

import contextlib
import sys

FILTER = r"Software\Classes\CLSID\{A3FCE0F5-3493-419F-958A-ABA1250EC20B}"  # its 64-bit DirectShow
MEND = (
    "install OBS 30 or newer (https://obsproject.com); for a portable OBS run "
    r"data\obs-plugins\win-dshow\virtualcam-install.bat in its folder as administrator"
)
TAKEN = "OBS or another vcam sends into it already; stop that"


def missing_filter() -> str | None:
    """Why nothing can be sent into OBS's camera on this Windows; None where it can, or elsewhere.

    The key is the one that pyvirtualcam looks for, in the 64-bit view of the registry.
    """
    if sys.platform != "win32" or _is_registered():
        return None
    return f"OBS's camera is not registered here; {MEND}"


def _is_registered() -> bool:
    import winreg

    with contextlib.suppress(OSError):
        view = winreg.KEY_READ | winreg.KEY_WOW64_64KEY  # type: ignore[attr-defined]
        winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, FILTER, 0, view).Close()  # type: ignore[attr-defined]
        return True
    return False
