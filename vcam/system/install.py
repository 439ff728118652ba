"""Where this vcam was installed from, and the commands that add to it.

The package is called `vcam-avatar`: on the public index `vcam` is somebody else's.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vcam import access

DISTRIBUTION = "vcam-avatar"


def extra(name: str) -> str:
    """The command that adds an extra, such as "neural", to the vcam that runs."""
    return f"{pip('install')} {_asked(name)}"


def here(command: str) -> str:
    """A command in which `pip` is that of the vcam that runs, whatever shell it is typed into."""
    return re.sub(r"(?<![\w./-])pip (\w+)", lambda found: pip(found[1]), command)


def pip(verb: str) -> str:
    """pip's `verb` for the Python that runs, as a path seen from the current folder."""
    beside = Path(sys.executable).with_name("pip.exe" if sys.platform == "win32" else "pip")
    if beside.exists():
        return f"{access.quoted(_seen(beside))} {verb}"
    python = access.quoted(_seen(Path(sys.executable)))
    if shutil.which("uv"):  # makes environments without a pip
        return f"uv pip {verb} -p {python}"
    return f"{python} -m pip {verb}"


def _asked(name: str) -> str:
    """What pip is asked for: the clone that vcam runs from, or the package of the index."""
    folder, editable = _origin()
    if folder is None:
        return access.quoted(f"{DISTRIBUTION}[{name}]")
    place = "." if folder == Path.cwd() else str(folder)
    return ("-e " if editable else "") + access.quoted(f"{place}[{name}]")


def _origin() -> tuple[Path | None, bool]:
    """The folder that it was installed from, if it was one, and whether it runs from there."""
    try:
        told = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:  # run from a clone that nobody has installed
        return Path(__file__).parents[2], True
    found = json.loads(told or "{}")
    url = urlsplit(found.get("url", ""))
    if url.scheme != "file":
        return None, False
    path = re.sub(r"^/(?=[A-Za-z]:)", "", unquote(url.path))  # file:///C:/ is a drive of Windows
    return Path(path), bool(found.get("dir_info", {}).get("editable"))


def _seen(path: Path) -> str:
    """As one would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
