"""Opening stages: what is imported, and when garbage is looked for."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from vcam.engine import backends, openers
from vcam.engine.backends import Asked
from vcam.profiles import profile
from vcam.profiles.profile import made_up

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")


@pytest.mark.parametrize("before", [True, False])
def test_garbage_is_looked_for_again_after_imports_that_fail(before):
    def failing() -> None:
        with openers._importing():
            assert not gc.isenabled()
            raise ImportError("no such library")

    (gc.enable if before else gc.disable)()
    try:
        with pytest.raises(ImportError, match="no such"):
            failing()
        assert gc.isenabled() == before
    finally:
        gc.enable()


def printed(code: str) -> str:
    """What Python prints of `code` in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_mouth_opens_without_the_libraries_that_take_seconds_to_import():
    """MuseTalk's networks are our own; nothing of what diffusers brings along is wanted."""
    code = (
        "import sys; from vcam.engine.backends import MOUTH, Asked;"
        "from vcam.profiles.profile import made_up;"
        "MOUTH['musetalk'].open(Asked(made_up('small'), 30, 128));"
        "print([name for name in ('diffusers', 'transformers', 'scipy') if name in sys.modules])"
    )
    assert printed(code) == "[]"


def test_steps_of_opening_are_told():
    told: list[str] = []
    backends.MOUTH["musetalk"].open(Asked(made_up("small"), 30, 128, doing=told.append))
    assert told == [
        f"loading musetalk: {step}"
        for step in ("imports", "its networks", "onto its device", "compiled kernels and graphs")
    ]


def test_what_reads_kernels_is_imported_for_a_gpu_only():
    code = (
        "import sys, torch; from vcam.engine.openers import _get_ready;"
        "_get_ready(torch.device('cpu')); print('torch._inductor' in sys.modules);"
        "_get_ready(torch.device('cuda')); print('torch._inductor' in sys.modules)"
    )
    assert printed(code).split() == ["False", "True"]


def test_the_names_in_a_profile_are_those_that_can_be_opened():
    assert tuple(backends.MOTION) == profile.MOTION
    assert tuple(backends.RENDERER) == profile.RENDERER
    assert tuple(backends.MOUTH) == profile.MOUTH
