"""Rooms import down only, in the order of ARCHITECTURE's table; the CPU path never loads torch."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1]
ROOT = HOME / "vcam"
ROW = re.compile(r"^\| ((?:`\w+/` ?)+) \|", re.MULTILINE)
TOP = re.compile(r"what all share: ([\w,\s]+)\.")
MOST_AT_THE_TOP = 16


ARCHITECTURE = (HOME / "ARCHITECTURE.md").read_text("utf-8")


def rooms() -> list[list[str]]:
    """The rooms from the top floor down, those of one floor together, as ARCHITECTURE has them."""
    return [re.findall(r"`(\w+)/`", row) for row in ROW.findall(ARCHITECTURE)]


def shared() -> list[str]:
    """The files on the top level, which every room may import."""
    (names,) = TOP.findall(ARCHITECTURE)
    return re.findall(r"\w+", names)


SHARED = shared()
FLOOR = {room: -level for level, floor in enumerate(rooms()) for room in floor}
FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT)


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def imported(path: Path) -> set[str]:
    """Modules of vcam that `path` imports at its top level, as paths below `vcam`."""
    names = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vcam"):
            base = "/".join(node.module.split(".")[1:])
            names |= {f"{base}/{alias.name}".lstrip("/") for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {"/".join(a.name.split(".")[1:]) for a in node.names if "vcam." in a.name}
    return {name for name in map(module, names) if name}


def module(name: str) -> str:
    """The file that `name` is, or lies in; nothing for what the package itself holds."""
    while (
        name and not (ROOT / f"{name}.py").exists() and not (ROOT / name / "__init__.py").exists()
    ):
        name = name.rpartition("/")[0]
    return name


def named(path: Path) -> str:
    """The file as `imported` names it: a package by its folder."""
    return path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__init__")


def test_every_folder_is_a_room_and_every_room_a_folder():
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == set(FLOOR), "ARCHITECTURE's table of rooms and the folders of vcam/ differ"


def test_the_top_level_holds_what_all_rooms_share_and_nothing_else():
    files = {path.stem for path in ROOT.glob("*.py")} - {"__init__", "__main__"}
    assert files == set(SHARED), "a new file belongs in a room; ARCHITECTURE lists them"
    assert len(list(ROOT.glob("*.*"))) <= MOST_AT_THE_TOP


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    own = room(path)
    lower = {name for name in FLOOR if FLOOR[name] < FLOOR[own]} | {own, *SHARED}
    upward = {name for name in imported(path) if name.split("/")[0] not in lower}
    assert not upward, f"{own}/ must not import {upward}: ARCHITECTURE has those rooms above it"


@pytest.mark.parametrize("name", SHARED)
def test_what_all_share_imports_no_room(name):
    assert imported(ROOT / f"{name}.py") <= set(SHARED)


def test_files_do_not_import_each_other_in_circles():
    below = {named(path): imported(path) - {named(path)} for path in FILES}
    while leaves := {name for name, needs in below.items() if not needs & below.keys()}:
        below = {name: needs for name, needs in below.items() if name not in leaves}
    assert not below, f"these import each other, or one that does: {sorted(below)}"


def test_the_command_line_and_the_cpu_path_never_load_torch():
    modules = ("cli.main", "live.run", "bench.measure", "link.serve", "motion.visemes.model")
    names = ", ".join(f"vcam.{name}" for name in modules)
    code = f"import sys, {names}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_command_waits_for_nothing_that_it_may_not_need():
    """Whoever asks for the status, or lets a shell complete a word, has no film in hand."""
    code = "import sys, vcam.cli.main; print(sorted({'av', 'PIL', 'cv2'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
