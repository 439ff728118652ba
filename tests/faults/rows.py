"""The faults, each as what is done to a live run."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psutil

from tests.faults.measure import Outage
from tests.faults.rig import Rig
from tests.faults.server import PipeWire
from tests.remote.lab import Lab
from vcam.errors import VcamError
from vcam.monitor import logs
from vcam.system.pipewire import RESTART

ASLEEP = 5.0  # seconds of suspension
HOUR = 3600.0
DISCOVERY = 6.0  # seconds in which it is said that nothing is linked any more


@dataclass(frozen=True)
class Fault:
    """A row of the table."""

    name: str
    act: Callable[[Rig], Outage]
    hears: bool = True  # the microphone and the meeting's device are there all the time
    shows: bool = True  # the camera is there all the time
    awake: bool = True  # the program runs all the time
    server: bool = False  # it is a fault of sound: nothing to see without a sound server
    noted: bool = True  # the camera takes notes
    steps: bool = False  # its wall clock is ours to step
    far: bool = False  # its engine is on another machine
    only: str = ""  # the kind of sound server that it needs
    settings: Mapping[str, Any] = field(default_factory=dict)  # of RunConfig


def nothing(_rig: Rig) -> Outage:
    """What the measurement itself adds."""
    begin = time.monotonic()
    return Outage(begin, begin)


def microphone_unplugged(rig: Rig) -> Outage:
    """Gone for three seconds."""
    assert rig.server is not None
    begin = time.monotonic()
    rig.server.unplug("desk")
    time.sleep(3.0)
    rig.server.plug("desk")
    return Outage(begin, time.monotonic())


def default_changed(rig: Rig) -> Outage:
    """To the other microphone, or back."""
    assert rig.server is not None
    begin = time.monotonic()
    rig.server.choose(rig.other_default())
    return Outage(begin, begin)


def rate_changed(rig: Rig) -> Outage:
    """The device goes and comes back at 44.1 kHz, then at 16 kHz."""
    assert rig.server is not None
    assert rig.speaker is not None
    begin = time.monotonic()
    rig.server.unplug("desk", sink=True)
    time.sleep(0.5)
    rig.server.plug("desk", 16_000 if rig.happened else 44_100)
    rig.speaker.begin_again("desk")
    return Outage(begin, time.monotonic())


def server_killed(rig: Rig) -> Outage:
    """Nobody answers for a second."""
    assert rig.server is not None
    assert rig.speaker is not None
    begin = time.monotonic()
    rig.speaker.hush()
    rig.server.kill()
    time.sleep(1.0)
    rig.server.start()
    rig.speaker.speak_on()
    return Outage(begin, time.monotonic())


def server_hung(rig: Rig) -> Outage:
    """It does not answer for three seconds."""
    assert rig.server is not None
    assert rig.speaker is not None
    begin = time.monotonic()
    rig.server.freeze()
    time.sleep(3.0)
    rig.server.thaw()
    rig.speaker.begin_again("desk")
    return Outage(begin, time.monotonic())


def virtual_microphone_removed(rig: Rig) -> Outage:
    """Somebody unloads vcam's own devices."""
    assert rig.server is not None
    begin = time.monotonic()
    rig.server.remove("vcam_voice")
    assert rig.listener is not None
    rig.listener.begin_again()
    return Outage(begin, time.monotonic())


def _pipewire(rig: Rig) -> PipeWire:
    assert isinstance(rig.server, PipeWire)
    return rig.server


def session_manager_killed(rig: Rig) -> Outage:
    """WirePlumber, for a second; should it link nothing then, the user does what vcam says.

    0.4.13 links nothing for anybody once it has come back while a stream was open.
    """
    pipewire = _pipewire(rig)
    begin = time.monotonic()
    pipewire.restart("wireplumber")
    back = time.monotonic()
    quiet = rig.wait(lambda: bool(rig.now()["trouble"]), DISCOVERY)
    if not quiet:
        return Outage(begin, back)
    if rig.wait(lambda: any(RESTART in each for each in rig.now()["trouble"]), DISCOVERY):
        return Outage(begin, pipewire_killed(rig).cured)
    return Outage(begin, back)


def pipewire_killed(rig: Rig) -> Outage:
    """All of it, for a second."""
    return _restarted(rig, "pipewire")


def _restarted(rig: Rig, program: str) -> Outage:
    assert rig.speaker is not None
    begin = time.monotonic()
    rig.speaker.hush()
    _pipewire(rig).restart(program)
    rig.speaker.speak_on()
    return Outage(begin, time.monotonic())


def quantum_forced(rig: Rig) -> Outage:
    """Cycles of 32 samples, then of 2048."""
    return _forced(rig, "quantum", 2048 if rig.happened else 32)


def rate_forced(rig: Rig) -> Outage:
    """All of it runs at 44.1 kHz, then at 96."""
    return _forced(rig, "rate", 96_000 if rig.happened else 44_100)


def _forced(rig: Rig, key: str, value: int) -> Outage:
    begin = time.monotonic()
    _pipewire(rig).set(key, value)
    return Outage(begin, time.monotonic())


def camera_removed(rig: Rig) -> Outage:
    """Gone for two seconds."""
    begin = time.monotonic()
    rig.tell("camera-gone")
    time.sleep(2.0)
    (rig.folder / "camera-gone").unlink()
    return Outage(begin, time.monotonic())


def engine_killed(rig: Rig) -> Outage:
    """kill -9."""
    begin = time.monotonic()
    rig.engine().send_signal(signal.SIGKILL)
    return Outage(begin, begin)


def engine_hung(rig: Rig) -> Outage:
    """It stops and says nothing."""
    begin = time.monotonic()
    rig.engine().send_signal(signal.SIGSTOP)
    return Outage(begin, begin)


def engine_without_memory(rig: Rig) -> Outage:
    """A stage cannot get memory."""
    begin = time.monotonic()
    rig.tell("raise", "MemoryError: cannot allocate 2 GiB")
    return Outage(begin, begin)


def stage_failed(rig: Rig) -> Outage:
    """As torch tells of an error of CUDA."""
    begin = time.monotonic()
    rig.tell("raise", "RuntimeError: CUDA error: an illegal memory access was encountered")
    return Outage(begin, begin)


def suspended(rig: Rig) -> Outage:
    """All its processes stop, and the clocks go on."""
    begin = time.monotonic()
    rig.stop_all()
    time.sleep(ASLEEP)
    rig.continue_all()
    return Outage(begin, time.monotonic())


def clock_stepped(rig: Rig) -> Outage:
    """The wall clock leaps an hour ahead, then back. The monotonic clock never does."""
    begin, stepped = time.monotonic(), rig.folder / "clock-stepped"
    before = rig.now()["wall"]
    stepped.unlink() if stepped.exists() else stepped.touch()
    assert rig.wait(lambda: abs(rig.now()["wall"] - before) > HOUR / 2, 2.0), "it did not step"
    return Outage(begin, begin)


def disk_full(rig: Rig) -> Outage:
    """No file may grow any more, as on a full disk; a film is being made."""
    begin = time.monotonic()
    rig.rim.rlimit(psutil.RLIMIT_FSIZE, (1, psutil.RLIM_INFINITY))
    assert rig.wait(lambda: bool(rig.now()["trouble"]), 5.0) or rig.happened
    rig.rim.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
    return Outage(begin, begin)


def log_rotated(rig: Rig) -> Outage:
    """The log is full, and the next line begins another one."""
    begin, log = time.monotonic(), rig.folder / "vcam" / "vcam.log"
    with log.open("a") as file:
        file.write("an older line\n" * (logs.LARGEST // 14))
    rig.ask({"do": "resume"})  # which changes nothing, and is noted
    assert rig.wait(lambda: log.exists() and log.stat().st_size < logs.LARGEST), "it grew on"
    assert log.with_name("vcam.log.1").exists()
    return Outage(begin, begin)


def profile_corrupted(rig: Rig) -> Outage:
    """The profile is damaged when the user switches to it."""
    begin = time.monotonic()
    path = rig.folder / "profiles" / "other" / "profile.yaml"
    path.write_text("look: [unfinished")
    try:
        rig.ask({"do": "switch", "profile": "other"})
    except VcamError as error:
        rig.heard_of.append(str(error))
    path.write_text("renderer: head3d\nmotion: visemes\nlook: nobody\n")
    rig.ask({"do": "switch", "profile": "other"})
    return Outage(begin, begin)


def two_at_once(rig: Rig) -> Outage:
    """The engine is killed while the microphone is gone."""
    assert rig.server is not None
    begin = time.monotonic()
    rig.server.unplug("desk")
    rig.engine().send_signal(signal.SIGKILL)
    time.sleep(2.0)
    rig.server.plug("desk")
    return Outage(begin, time.monotonic())


def _lab(rig: Rig) -> Lab:
    assert rig.lab is not None
    return rig.lab


def link_cut(rig: Rig) -> Outage:
    """Nothing passes for three seconds, and nobody is told."""
    begin, lab = time.monotonic(), _lab(rig)
    lab.relay.cut()
    time.sleep(3.0)
    lab.relay.heal()
    return Outage(begin, time.monotonic())


def far_service_killed(rig: Rig) -> Outage:
    """And its engines; it is started again after a second."""
    begin, lab = time.monotonic(), _lab(rig)
    lab.kill_door()
    time.sleep(1.0)
    lab.serve()
    return Outage(begin, time.monotonic())


def far_engine_killed(rig: Rig) -> Outage:
    """Its service goes on."""
    begin = time.monotonic()
    _lab(rig).kill_engine()
    return Outage(begin, begin)


def far_machine_stopped(rig: Rig) -> Outage:
    """For three seconds nothing of it runs."""
    begin, lab = time.monotonic(), _lab(rig)
    lab.send(signal.SIGSTOP)
    time.sleep(3.0)
    lab.send(signal.SIGCONT)
    return Outage(begin, time.monotonic())


# What cannot be done here, and where it is done instead.
ELSEWHERE = {
    "camera's reader leaves and comes back": "needs v4l2loopback: scripts/test device",
}
NAMED = {"microphone": "desk_mic"}
FAULTS = {
    "nothing": Fault("nothing (what the measurement itself adds)", nothing),
    "unplug": Fault("microphone unplugged, plugged in again after 3 s", microphone_unplugged,
                    hears=False, server=True, settings=NAMED),
    "default": Fault("another default microphone", default_changed, server=True),
    "rate": Fault("microphone comes back at 44.1, then 16 kHz", rate_changed,
                  hears=False, server=True, settings=NAMED),
    "server-killed": Fault("sound server killed, started after 1 s", server_killed,
                           hears=False, server=True),
    "server-hung": Fault("sound server hangs for 3 s", server_hung, hears=False, server=True),
    "virtual": Fault("virtual microphone removed by somebody", virtual_microphone_removed,
                     hears=False, server=True),
    "wireplumber": Fault("WirePlumber killed, started after 1 s; then as vcam says",
                         session_manager_killed, hears=False, server=True, only="pipewire"),
    "pipewire": Fault("PipeWire killed, all started after 1 s", pipewire_killed,
                      hears=False, server=True, only="pipewire"),
    "quantum": Fault("cycles of 32, then 2048 samples", quantum_forced,
                     hears=False, server=True, only="pipewire"),
    "forced-rate": Fault("all at 44.1, then 96 kHz", rate_forced,
                         hears=False, server=True, only="pipewire"),
    "camera": Fault("camera device removed, added after 2 s", camera_removed, shows=False),
    "engine-killed": Fault("engine killed (kill -9)", engine_killed),
    "engine-hung": Fault("engine hangs", engine_hung),
    "memory": Fault("engine out of memory", engine_without_memory),
    "cuda": Fault("CUDA error in a stage", stage_failed),
    "suspend": Fault("all processes stopped for 5 s (suspended)", suspended,
                     hears=False, shows=False, awake=False),
    "clock": Fault("wall clock stepped by an hour, and back", clock_stepped, steps=True),
    "disk": Fault("disk full while filming", disk_full, noted=False,
                  settings={"camera": "{folder}/film.mp4"}),
    "log": Fault("log is full and rotates", log_rotated),
    "profile": Fault("profile corrupted while switching to it", profile_corrupted),
    "two": Fault("microphone unplugged and engine killed", two_at_once,
                 hears=False, server=True, settings=NAMED),
    "far-nothing": Fault("engine elsewhere: nothing", nothing, far=True),
    "far-cut": Fault("engine elsewhere: link cut for 3 s", link_cut, far=True),
    "far-service": Fault("engine elsewhere: its service killed, up again after 1 s",
                         far_service_killed, far=True),
    "far-engine": Fault("engine elsewhere: killed", far_engine_killed, far=True),
    "far-stopped": Fault("engine elsewhere: its machine stopped for 3 s", far_machine_stopped,
                         far=True),
    "far-clock": Fault("engine elsewhere: this machine's wall clock stepped by an hour, and back",
                       clock_stepped, steps=True, far=True),
    "far-suspend": Fault("engine elsewhere: this machine suspended for 5 s", suspended,
                         hears=False, shows=False, awake=False, far=True),
}  # fmt: skip
