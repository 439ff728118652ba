"""A part of the GPU: what is asked for, who is told, and what is said where it cannot be had."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from vcam.cli import main
from vcam.errors import ConfigError, DeviceError
from vcam.gpu import device
from vcam.gpu import part as gpu_part


@pytest.fixture(autouse=True)
def whole(monkeypatch):
    monkeypatch.setenv(gpu_part.VARIABLE, "")
    gpu_part._entered.cache_clear()


class Contexts:
    """torch's green contexts, pretended."""

    made: list[int]
    fails = ""

    def create(self, num_sms: int) -> Contexts:
        if self.fails:
            raise RuntimeError(self.fails)
        self.made = [num_sms]
        return self

    def set_context(self) -> None:
        self.made.append(-1)

    @property
    def GreenContext(self) -> Contexts:
        return self


@pytest.fixture
def card(monkeypatch) -> Contexts:
    """A GPU of 132 multiprocessors."""
    contexts, find = Contexts(), importlib.import_module
    cuda = SimpleNamespace(
        is_available=lambda: True,
        get_device_properties=lambda: SimpleNamespace(multi_processor_count=132),
    )
    monkeypatch.setattr(device, "present", lambda: True)
    monkeypatch.setitem(
        sys.modules, "torch", SimpleNamespace(cuda=cuda, zeros=lambda *size, device: None)
    )
    monkeypatch.setattr(
        gpu_part.importlib,
        "import_module",
        lambda name: contexts if name == "torch.cuda.green_contexts" else find(name),
    )
    return contexts


def test_without_a_word_the_whole_gpu_is_used(card):
    gpu_part.ask(None)
    gpu_part.enter()
    assert gpu_part.asked() is None
    assert not hasattr(card, "made")


def test_the_part_is_entered_once_before_anything_is_opened(card):
    gpu_part.ask(32)
    gpu_part.enter()
    gpu_part.enter()
    assert card.made == [32, -1]


def test_it_can_be_gone_back_into(card):
    gpu_part.resume()
    assert not hasattr(card, "made")
    gpu_part.ask(32)
    gpu_part.enter()
    gpu_part.resume()
    assert card.made == [32, -1, -1]


def test_processes_that_are_started_are_told(card):
    gpu_part.ask(16)
    told = "from vcam.gpu import part as gpu_part; print(gpu_part.asked())"
    out = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True, env=os.environ
    )
    assert out.stdout.split() == ["16"]


def test_more_than_there_are_is_refused(card):
    gpu_part.ask(200)
    with pytest.raises(DeviceError, match="this GPU has 132 multiprocessors"):
        gpu_part.enter()


def test_a_torch_or_driver_without_them_is_told_in_one_sentence(card):
    card.fails = "PyTorch was not built with Green Context support!\nat somewhere.cpp"
    gpu_part.ask(32)
    with pytest.raises(DeviceError) as told:
        gpu_part.enter()
    assert "torch with green contexts (2.11 or newer)" in str(told.value)
    assert "\n" not in str(told.value)


def test_without_a_gpu_the_command_says_so(monkeypatch, capsys):
    monkeypatch.setattr(device, "present", lambda: False)
    assert main.main(["bench", "--sms", "32"]) == 1
    assert "--sms takes a part of an NVIDIA GPU, and there is none here" in capsys.readouterr().err


def test_no_number_is_refused(card):
    with pytest.raises(ConfigError, match="from 1"):
        gpu_part.ask(0)
