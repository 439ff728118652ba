"""An engine that sleeps: no frames, hardly any work, not mistaken for a hang, awake at once."""

from __future__ import annotations

import time

import psutil

from tests.link.test_child import await_live, link, live
from tests.link.test_fallback import Rig
from vcam.link.child import ChildLink
from vcam.profiles.profile import Profile

__all__ = ["link"]
ASLEEP = 8.0  # seconds: longer than a hang may last


def cpu_seconds(link: ChildLink) -> float:
    used = psutil.Process(link.pid).cpu_times()
    return float(used.user + used.system)


def test_an_engine_sleeps_unsuspected_and_wakes_up_at_once(link):
    await_live(link)
    pid = link.pid
    assert live(link, 1.0)
    link.rest(True)
    live(link, 0.3)  # what was on its way
    before = cpu_seconds(link)
    assert live(link, ASLEEP) == []
    assert cpu_seconds(link) - before < 0.03 * ASLEEP
    assert link.status().state == "live"
    assert not link.status().speaking
    link.rest(False)
    awake = live(link, 1.0)
    assert len(awake) > 20
    newest = max(finished.frame.at for finished in awake)
    first = min(finished.frame.at for finished in awake)
    assert newest - first <= 48_000 + 24_000  # nothing of what it slept through
    assert link.pid == pid


def test_a_new_engine_sleeps_too_when_the_old_one_dies_asleep(link):
    await_live(link)
    link.rest(True)
    psutil.Process(link.pid).kill()
    end = time.monotonic() + 30
    while link.status().restarts == 0 or link.status().state != "live":
        assert time.monotonic() < end, link.status()
        live(link, 0.2)
    assert live(link, 1.5) == []
    link.rest(False)
    assert live(link, 1.0)


def test_who_is_loaded_while_nobody_looks_takes_over_without_a_frame():
    rig = Rig()
    rig.begin()
    rig.look(1.0)
    primary = rig.coming
    rig.link.rest(True)
    assert primary.resting
    assert rig.link.profile.title == "Me"
    rig.primary_on()
    rig.link.switch(Profile(title="Other"))
    coming = rig.coming
    assert coming.resting
    coming.go_live()
    rig.look()
    assert rig.live is coming
    assert rig.link.profile.title == "Other"
    rig.link.rest(False)
    assert not coming.resting
    assert rig.link.receive(-1, 0.0)
    rig.link.close()
