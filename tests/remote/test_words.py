"""What an engine says, over a link and back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from vcam.link.serve import Vitals
from vcam.monitor.stats import GpuStatus
from vcam.remote import wire, words

L4 = GpuStatus(own_mib=2048.0, used_mib=4096.0, total_mib=23_034.0, load=0.4, name="NVIDIA L4")


@pytest.mark.parametrize("gpu", [None, L4])
def test_vitals_arrive_as_they_left(gpu):
    told = Vitals(130.0, gpu, "warm", "full", 0.6, True)
    engine = SimpleNamespace(changes=[], note="", ready=None, vitals=told)
    (message,) = wire.Reader().feed(b"".join(words.Told().news(engine)))
    assert words.read_vitals(message) == told
