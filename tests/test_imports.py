"""Imports point down only, and the CPU path never loads torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "vcam"
LEVELS = [
    {"errors", "arkit", "muted", "sandbox"},
    {"places"},
    {"media", "checkpoint", "tensorfile", "compiled", "presence"},
    {"arrays"},
    {"config", "logs"},
    {"settings", "run_options"},
    {"daemon"},
    {"service"},
    {"requests", "curtain"},
    {"stages", "stats", "tickcode", "graphed", "kept", "flame", "convert", "litert"},
    {"control"},
    {"background"},
    {"synthetic_flame"},
    {"diary", "metrics", "badge", "compose", "consent", "picture", "gpu"},
    {"prepared"},
    {"cutout"},
    {"ledger"},
    {"weights", "hub"},
    {"pull"},
    {"nets"},
    {"clock", "playout", "ladder", "gpu_watch", "host_copy"},
    {"audio", "camera", "landmarks", "beside"},
    {"audience", "devices"},
    {"motion", "render", "mouth"},
    {"synthetic"},
    {"synthetic_files"},
    {"networks", "eager"},
    {"backends"},
    {"profile"},
    {"profile_store", "judge", "finish", "voice", "cast"},
    {"enroll"},
    {"flame_points"},
    {"fit"},
    {"pipeline", "dub", "build"},
    {"engine"},
    {"link"},
    {"projector"},
    {"session", "hud", "doctor"},
    {"offline", "live"},
    {"screen"},
    {"consent_cli"},
    {"bench_gpu", "daemon_cli", "models_cli", "profile_cli"},
    {"bench"},
    {"bench_table"},
    {"options"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Parts of vcam that `path` imports at its top level."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vcam"):
            below = node.module.split(".")[1:]
            names |= {below[0]} if below else {alias.name for alias in node.names}
    return names - {"__version__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    own = part(path)
    upward = {name for name in imported(path) if name != own and LEVEL[name] >= LEVEL[own]}
    assert not upward, f"{own} must not import {upward}"


def test_the_command_line_and_the_cpu_path_never_load_torch():
    modules = "vcam.cli, vcam.live, vcam.bench, vcam.link.serve, vcam.motion.visemes"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
