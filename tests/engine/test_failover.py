"""Who stands in for whom, by cheap looks."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from vcam.engine.backends import Asked, open_stages
from vcam.engine.failover import embedded, failover, may_be_neural
from vcam.errors import WeightsError
from vcam.gpu import device
from vcam.profiles.profile import Profile
from vcam.weights import manifest


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with torch, a GPU and all weights; what is missing is put into the set."""
    missing: set[str] = set()

    def find(name):
        if name in missing:
            raise WeightsError(f"{name} is missing")
        return tmp_path / name

    monkeypatch.setattr(manifest, "find", find)
    monkeypatch.setattr(device, "present", lambda: "gpu" not in missing)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else found("json")
    )
    return missing


@pytest.fixture
def me(tmp_path):
    return Profile(title="Me", folder=tmp_path)


def test_a_face_that_may_be_neural_has_a_fallback_of_the_cpu(machine, me):
    chosen = failover(me)
    assert chosen.has_fallback
    assert chosen.primary is me
    assert chosen.fallback == embedded(me)
    assert (chosen.fallback.motion, chosen.fallback.mouth) == ("visemes", "passthrough")
    assert chosen.fallback.folder == me.folder


@pytest.mark.parametrize("gone", ["torch", "gpu"])
def test_without_torch_or_gpu_nobody_stands_in(machine, me, gone):
    machine.add(gone)
    assert not failover(me).has_fallback


@pytest.mark.parametrize("gone", ["artalk", "gagavatar", "flame"])
def test_a_mouth_alone_is_worth_a_star(machine, me, gone):
    machine.add(gone)
    assert may_be_neural(me)  # the head with a painted mouth
    machine.add("musetalk")
    assert not may_be_neural(me)


def test_a_profile_of_embedded_backends_plays_itself(machine, me):
    plain = Profile(motion="visemes", renderer="puppet", mouth="passthrough", folder=me.folder)
    assert not may_be_neural(plain)
    assert failover(plain).fallback is plain


def test_without_a_photo_there_is_no_neural_face(machine):
    assert not may_be_neural(Profile(mouth="passthrough"))
    assert may_be_neural(Profile(mouth="auto"))


@pytest.mark.parametrize("renderer", ["auto", "gagavatar", "head3d"])
def test_every_fallback_opens_without_a_photo(renderer):
    wanted = Profile(renderer=renderer, mouth="musetalk")
    stages = open_stages(Asked(embedded(wanted), 30, 128))
    assert stages.names == ("visemes", "head3d", "passthrough")


def test_casting_loads_nothing_heavy():
    code = (
        "import sys; from vcam.engine.failover import failover;"
        "from vcam.profiles.profile import Profile;"
        "failover(Profile()); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
