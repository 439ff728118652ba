"""The virtual environment `.venv` that every script runs in: made once, then kept up to date.

It needs nothing but Python 3.11 or newer, and uses uv if that is there, because it is faster.
pip's own configuration decides where packages come from.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "vcam.json"  # what is installed, and from which recipe
VERSIONS = ("3.11", "3.12", "3.13", "3.14")


def run(*extras: str, command: list[str]) -> int:
    """Run `python COMMAND` in an environment that holds vcam with `extras`; its exit code."""
    prepare(set(extras))
    os.chdir(ROOT)
    return subprocess.run([PYTHON, *command]).returncode


def prepare(extras: set[str]) -> None:
    """Make `.venv` hold vcam with at least `extras`; does nothing when it already does."""
    recipe = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        recipe.update((ROOT / name).read_bytes())
    installed = json.loads(STAMP.read_text()) if STAMP.is_file() else {}
    have = set(installed.get("extras", []))
    if installed.get("recipe") == recipe.hexdigest() and extras <= have and PYTHON.exists():
        return
    print(f"setting up {VENV.name}; the first time takes a minute or two", file=sys.stderr)
    extras |= have
    _make()
    wanted = f".[{','.join(sorted(extras))}]" if extras else "."
    _pip("install", "-c", "constraints.txt", "-e", wanted)
    _swap_opencv()
    STAMP.write_text(json.dumps({"recipe": recipe.hexdigest(), "extras": sorted(extras)}))


def _make() -> None:
    if PYTHON.exists():
        return
    if shutil.which("uv"):
        _check("uv", "venv", "-q", "--clear", "--python", _base(), str(VENV))
    else:
        _check(_base(), "-m", "venv", "--clear", str(VENV))


def _base() -> str:
    """A Python that is new enough: this one, or another in the path."""
    if sys.version_info >= (3, 11):  # noqa: UP036 - an older Python may run the scripts
        return sys.executable
    for version in VERSIONS:
        if found := shutil.which(f"python{version}"):
            return found
    sys.exit(f"vcam needs Python {VERSIONS[0]} or newer; this is {sys.version.split()[0]}")


def _pip(command: str, *arguments: str) -> None:
    """pip in `.venv`, or uv in its place."""
    if shutil.which("uv"):
        _check("uv", "pip", command, "-q", "-p", str(PYTHON), *arguments)
    else:
        _check(str(PYTHON), "-m", "pip", command, "-q", *arguments)


def _swap_opencv() -> None:
    """Where libGL or another library is missing, the headless build of OpenCV may load."""
    tried = subprocess.run([PYTHON, "-c", "import cv2"], capture_output=True, text=True)
    if tried.returncode == 0:
        return
    if "cannot open shared object file" not in tried.stderr:
        sys.exit(f"OpenCV does not load:\n{tried.stderr}")
    _pip("uninstall", *([] if shutil.which("uv") else ["-y"]), "opencv-python")
    _pip("install", "--force-reinstall", "--no-deps", "opencv-python-headless>=5.0")


def _check(*command: str) -> None:
    environment = dict(os.environ)
    if command[0] == "uv" and (links := _find_links()):
        environment.setdefault("UV_FIND_LINKS", links)
    if subprocess.run(command, cwd=ROOT, env=environment).returncode:
        sys.exit(f"failed: {' '.join(command)}")


def _find_links() -> str:
    """Where pip looks for files first: uv does not read pip's configuration."""
    if "PIP_FIND_LINKS" in os.environ:
        return os.environ["PIP_FIND_LINKS"]
    asked = [sys.executable, "-m", "pip", "config", "get", "global.find-links"]
    return subprocess.run(asked, capture_output=True, text=True).stdout.strip()
