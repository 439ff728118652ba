"""The keys of the display: what each asks for, in a pseudo-terminal and without one."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import write_wav
from tests.fakes import tone
from vcam.audio.microphone import MicrophoneInfo
from vcam.camera.open import CameraInfo
from vcam.cli import lists
from vcam.cli.keys import HELP, LEAVE, QUIT, SAME_FRIGHT, Keys
from vcam.control import server
from vcam.control.requests import Be, Camera, Express, Microphone, Stop, Switch, request_of
from vcam.errors import ConfigError
from vcam.monitor import logs
from vcam.presence import Presence
from vcam.profiles import profile

pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
pyte = pytest.importorskip("pyte")
STYLES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
ROOT = Path(__file__).parents[2]


class Asked:
    """A run of which only the presence is there."""

    def __init__(self) -> None:
        self.presence, self.stopped, self.time = Presence(), False, 0.0
        self.profile = "demo"
        self.made: list[str] = []  # gestures
        self.got: dict[str, str] = {}  # devices that were asked for
        self.more: dict[str, str] = {}  # of the status

    def __call__(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        request = request_of(said)
        if isinstance(request, Stop):
            self.stopped = True
        elif isinstance(request, Be):
            changes = {name: request.changes.get(name, on) for name, on in self.words().items()}
            self.presence = Presence(**changes)
        elif isinstance(request, Express):
            self.made.append(request.gesture)
        elif isinstance(request, Switch):
            self.profile = request.profile
        elif isinstance(request, Camera | Microphone):
            self.got = {str(said["do"]): request.name}
        presence = f"{self.presence}, nobody watches"
        return {"status": {"presence": presence, "profile": self.profile, **self.more}}

    def words(self) -> dict[str, bool]:
        return {name: getattr(self.presence, name) for name in Presence.__dataclass_fields__}


@pytest.fixture
def asked() -> Asked:
    return Asked()


def keys_of(asked: Asked, leaving=QUIT) -> Keys:
    return Keys(leaving, asked, lambda: asked.time)


@pytest.mark.parametrize(
    ("key", "switch"),
    [("m", "muted"), ("i", "idle"), (" ", "paused"), ("p", "hidden"), ("r", "real")],
)
def test_a_key_sets_its_switch_and_ends_it_and_leaves_the_others(asked, key, switch):
    keys = keys_of(asked)
    others = [other for other in "mi p" if other != key]
    for other in others:
        keys.press(other)
    before = asked.words()
    keys.press(key)
    assert asked.words() == before | {switch: True}
    asked.time += 2 * SAME_FRIGHT
    keys.press(key)
    assert asked.words() == before


def test_who_panics_presses_more_than_once_and_stays_hidden(asked):
    keys = keys_of(asked)
    for _ in range(5):
        keys.press("p")
        asked.time += SAME_FRIGHT / 2
        assert asked.presence.hidden
    asked.time += SAME_FRIGHT
    keys.press("p")
    assert not asked.presence.hidden


def test_q_ends_a_run_and_only_leaves_a_monitor(asked):
    keys_of(asked, QUIT).press("q")
    assert asked.stopped
    asked.stopped = False
    monitor = keys_of(asked, LEAVE)
    monitor.press("q")
    assert monitor.left
    assert not asked.stopped


def test_what_is_refused_is_told_for_some_seconds(asked):
    def refuse(said: Mapping[str, Any]) -> Mapping[str, Any]:
        raise ConfigError("not now")

    keys = Keys(QUIT, refuse, lambda: asked.time)
    keys.press("m")
    assert keys.notice == "not now"
    asked.time += 60
    assert keys.notice == ""
    unmet = Keys(QUIT)
    unmet.press("q")
    assert "still starting" in unmet.notice


def test_1_to_6_make_a_gesture_each(asked):
    keys = keys_of(asked)
    for key in "123456":
        keys.press(key)
    assert asked.made == ["smile", "nod", "shake", "surprise", "think", "wave-off"]
    assert keys.notice == ""


def test_other_keys_do_nothing(asked):
    keys = keys_of(asked)
    for key in "xMQ\n\t7é":
        keys.press(key)
    assert (asked.presence, asked.stopped, keys.left, keys.page) == (Presence(), False, False, None)


def test_the_pages_come_and_go(asked, monkeypatch):
    monkeypatch.setattr(logs, "newest", lambda count: ["one", "two"][-count:])
    keys = keys_of(asked)
    keys.press("?")
    assert keys.page
    assert dict(keys.page.lines)["q"] == QUIT.told
    told = {key for keys, _ in HELP for key in keys.split(", ")}
    assert {"m", "i", "p", "space", "f", "F", "1-6", "r", "c", "d", "l", "v", "?"} == told
    keys.press("l")
    assert keys.page
    assert [line for _, line in keys.page.lines] == ["one", "two"]
    keys.press("l")
    assert keys.page is None


def test_f_goes_through_all_faces_and_begins_again(asked, monkeypatch):
    monkeypatch.setattr(profile, "names", lambda: ["anna", "demo", "zoe"])
    keys = keys_of(asked)
    for name in ("zoe", "anna", "demo"):
        keys.press("f")
        assert asked.profile == name
        assert name in keys.notice
    monkeypatch.setattr(profile, "names", lambda: ["demo"])
    keys.press("f")
    assert (asked.profile, "no other face" in keys.notice) == ("demo", True)


def test_a_face_that_is_refused_is_not_in_the_way(asked, monkeypatch):
    monkeypatch.setattr(profile, "names", lambda: ["anna", "demo", "zoe"])

    def but_zoe(said: Mapping[str, Any]) -> Mapping[str, Any]:
        if said.get("profile") == "zoe":
            raise ConfigError("zoe is not in order")
        return asked(said)

    keys = Keys(QUIT, but_zoe, lambda: asked.time)
    keys.press("f")
    assert keys.notice == "zoe is not in order"
    keys.press("f")
    assert asked.profile == "anna"


def cameras_here() -> list[CameraInfo]:
    return [
        CameraInfo("/dev/video10", "v4l2loopback", "vcam (process 7) is sending into it"),
        CameraInfo("/dev/video11", "v4l2loopback", None),
        CameraInfo("pipewire", "pipewire", "no PipeWire answers"),
    ]


def test_c_lists_the_cameras_and_a_digit_picks_one(asked, monkeypatch):
    monkeypatch.setattr(lists.cameras_here, "list_cameras", cameras_here)
    asked.more = {"camera": "/dev/video10 (v4l2loopback)"}
    keys = keys_of(asked)
    keys.press("c")
    assert keys.page
    assert keys.page.lines[:4] == (
        ("1", "/dev/video10  (now)"),
        ("2", "/dev/video11"),
        ("3", "pipewire: no PipeWire answers"),
        ("4", "none: only you see it"),
    )
    keys.press("2")
    assert (asked.got, keys.page) == ({"camera": "/dev/video11"}, None)
    assert "/dev/video11" in keys.notice
    keys.press("c")
    keys.press("1")
    assert (asked.got, keys.notice) == ({"camera": "/dev/video11"}, "it is /dev/video10 already")


def test_d_lists_the_microphones_without_loudspeakers(asked, monkeypatch):
    found = [
        MicrophoneInfo("usb", "USB Audio"),
        MicrophoneInfo("speakers.monitor", "Monitor of Speakers", monitor=True),
        MicrophoneInfo("built-in", "Built-in Audio"),
    ]
    monkeypatch.setattr(lists.microphone, "known_microphones", lambda: found)
    asked.more = {"microphone": "USB Audio"}
    keys = keys_of(asked)
    keys.press("d")
    assert keys.page
    assert [words for _, words in keys.page.lines][1:3] == ["USB Audio  (now)", "Built-in Audio"]
    keys.press("3")
    assert asked.got == {"microphone": "built-in"}
    keys.press("d")
    keys.press("1")
    assert asked.got == {"microphone": "default"}
    found.append(MicrophoneInfo("usb.2", "USB Audio"))  # another one of the same make
    keys.press("d")
    assert keys.page
    shown = [words for _, words in keys.page.lines][1:4]
    assert shown == ["USB Audio (usb)", "Built-in Audio", "USB Audio (usb.2)"]
    keys.press("4")
    assert asked.got == {"microphone": "usb.2"}
    found.clear()
    keys.press("d")
    assert keys.page is None
    assert "vcam doctor" in keys.notice


def test_any_other_key_ends_a_list_and_does_what_it_does(asked, monkeypatch):
    monkeypatch.setattr(lists.cameras_here, "list_cameras", cameras_here)
    asked.more = {"camera": "none"}
    keys = keys_of(asked)
    for key in "cx":
        keys.press(key)
    assert keys.page is None
    for key in "cc":
        keys.press(key)
    assert keys.page is None
    for key in "cm":
        keys.press(key)
    assert keys.page is None
    assert asked.presence.muted
    keys.press("c")
    keys.press("9")  # nothing has that digit
    assert (keys.page, asked.got) == (None, {})


def test_a_long_list_says_how_to_choose_the_others(asked, monkeypatch):
    monkeypatch.setattr(profile, "names", lambda: [f"face{number}" for number in range(12)])
    keys = keys_of(asked)
    keys.press("F")
    assert keys.page
    assert keys.page.lines[-1] == ("", "3 more: vcam profile switch NAME")
    keys.press("9")
    assert asked.profile == "face8"


def test_v_shows_the_picture_alone(asked):
    keys = keys_of(asked)
    keys.press("v")
    assert keys.only_picture
    keys.press("l")
    assert not keys.only_picture


class Screen:
    """A pseudo-terminal, and what is written to it."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        termios.tcsetwinsize(self.theirs, (24, 80))
        self.said = b""
        self.screen = pyte.Screen(80, 24)  # what a person sees
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        """Always, because a terminal that nobody reads holds up who writes to it."""
        stream = pyte.ByteStream(self.screen)
        with contextlib.suppress(OSError):
            while True:
                news = os.read(self.ours, 65536)
                self.said += news
                stream.feed(news)

    def starts(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """A program whose own terminal it is."""
        return subprocess.Popen(
            words, cwd=ROOT, stdin=self.theirs, stdout=self.theirs, stderr=self.theirs,
            start_new_session=True, preexec_fn=self._become_ours,
            env=os.environ | {"TERM": "xterm", "PS1": "$ "}, **options,
        )  # fmt: skip

    def _become_ours(self) -> None:
        import fcntl

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def presses(self, keys: str, shows: str) -> None:
        """Press `keys`; what comes then matches `shows`, or what is on the screen does."""
        self.said = b""
        os.write(self.ours, keys.encode())
        self.shows(shows)

    def shows(self, wanted: str, patience: float = 30.0) -> None:
        end = time.monotonic() + patience
        while not any(re.search(wanted, shown) for shown in self._shown()):
            assert time.monotonic() < end, (wanted, self.said[-3000:])
            time.sleep(0.02)

    def _shown(self) -> tuple[str, str]:
        """What was said lately, and what is on the screen."""
        said = STYLES.sub(b"", self.said).decode(errors="replace")
        return said, "\n".join(self.screen.display)

    @property
    def modes(self) -> list[Any]:
        return termios.tcgetattr(self.theirs)

    @property
    def is_raw(self) -> bool:
        return not self.modes[3] & (termios.ICANON | termios.ECHO)


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    os.close(made.ours)
    os.close(made.theirs)


@pytest.fixture
def live(tmp_path, monkeypatch) -> list[str]:
    """The words of a live run into nowhere."""
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("NO_COLOR", raising=False)
    speech = write_wav(tmp_path / "speech.wav", tone(3.0))
    words = ["run", "--wav", str(speech), "--loop", "--camera", "none", "--voice", "none"]
    return [sys.executable, "-m", "vcam", *words, "--size", "128"]


UNHIDDEN = "PAUSED    also muted, idle"
KEYS = (
    *(
        ("m", "MUTED  "),
        ("i", "MUTED    also idle"),
        (" ", "PAUSED    also muted, idle "),
    ),
    *(("p", "HIDDEN    also paused, muted, idle"), ("?", "panic: hide all"), ("?", "memory")),
    *(("c", "none: only you see it"), ("4", "none: only you see it|already|memory")),
    *(("v", "HIDDEN {1,9}─"), ("v", "memory")),
    *(
        ("F", "demo  .now."),
        ("F", "memory"),
        ("f", "no other face"),
        ("?", "panic: hide all"),
        ("?", "memory"),
    ),
    *(("d", "prefers|vcam doctor|PortAudio"), ("x", "memory")),
    *(("l", "asked: be"), ("l", "memory"), ("p", UNHIDDEN)),
    *((" ", "MUTED    also idle"), ("i", "MUTED {30}"), ("m", "LIVE|TROUBLE")),
)
MONITOR = [sys.executable, "-m", "vcam", "monitor"]


def test_every_key_works_in_a_run_and_in_its_monitor(screen, live):
    before, other = screen.modes, Screen()
    run = screen.starts(*live)
    try:
        screen.shows("q quit")
        screen.shows("LIVE|TROUBLE")  # a slow computer
        assert screen.is_raw
        monitor = other.starts(*MONITOR)
        other.shows("q leave")
        assert other.is_raw
        for here in (screen, other):
            for key, shows in KEYS:
                time.sleep(SAME_FRIGHT if shows == UNHIDDEN else 0)
                here.presses(key, shows)
        os.write(other.ours, b"q")
        assert monitor.wait(30) == 0
        assert other.modes == before
        for engine in psutil.Process(run.pid).children(recursive=True):
            engine.kill()
        os.write(screen.ours, b"q")
        assert run.wait(30) == 0
        assert screen.modes == before
        assert screen.said.count(b"\x1b[?1049l") == 1
    finally:
        for child in (run, monitor):
            child.kill()
            child.wait()
        os.close(other.ours)
        os.close(other.theirs)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Ctrl-S may be another thing")
def test_a_terminal_that_stands_still_holds_up_neither_the_run_nor_its_end(screen, live):
    before, run = screen.modes, screen.starts(*live)
    try:
        screen.shows("LIVE|TROUBLE")
        os.write(screen.ours, b"\x13")  # Ctrl-S
        time.sleep(1.0)
        server.ask({"do": "mute"})
        end = time.monotonic() + 20  # until the main thread, which drew once, has noticed
        while not any("live -> muted" in line for line in logs.newest(50)):
            assert time.monotonic() < end
            time.sleep(0.1)
        server.ask({"do": "stop"})
        assert run.wait(10) == 0
        assert screen.modes == before
        screen.shows(r"frames? in [\d.]+ s, ")  # its last words
    finally:
        run.kill()
        run.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_gives_the_terminal_back(screen, number):
    holds(screen, lambda child: child.send_signal(number), code=128 + number)


def test_a_crash_gives_the_terminal_back(screen):
    holds(screen, lambda child: os.write(screen.ours, b"c"), code=1)
    assert b"ZeroDivisionError" in screen.said


HOLDER = """
import sys, time
from vcam.cli import screen
from vcam.cli.keys import QUIT, Keys
from vcam.monitor.stats import Snapshot
from vcam.system import signals
pressed = []
keys = Keys(QUIT)
keys.press = pressed.append
with signals.listening():
    try:
        with screen.watching(True, keys) as watch:
            while True:
                watch(Snapshot(profile="".join(pressed)))
                if "c" in pressed: 1 / 0
                time.sleep(0.02)
    except signals.Ended as ended:
        sys.exit(ended.code)
"""


def holds(screen: Screen, end: Callable[[subprocess.Popen[bytes]], object], code: int) -> None:
    """A program holds the screen until `end`; then the terminal is as it was."""
    before = screen.modes
    child = screen.starts(sys.executable, "-c", HOLDER)
    try:
        screen.presses("", "m mute")
        assert screen.is_raw
        end(child)
        assert child.wait(30) == code
    finally:
        child.kill()
        child.wait()
    assert screen.modes == before
    assert screen.said.rindex(b"\x1b[?1049l") > screen.said.rindex(b"m mute")
    assert screen.said.rindex(b"\x1b[?25h") > screen.said.rindex(b"m mute")


@pytest.mark.skipif(not shutil.which("bash"), reason="no shell that manages jobs")
def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(screen):
    shell = screen.starts("bash", "--norc", "--noprofile", "--noediting", "-i")
    try:
        screen.presses("stty -g; echo be''fore\n", "before")
        before = screen.modes
        screen.presses(f"{sys.executable} -c {shlex.quote(HOLDER)}\n", "m mute")
        assert screen.is_raw
        screen.presses("\x1a", "Stopped")
        assert b"\x1b[?1049l" in screen.said
        assert screen.modes == before
        screen.presses("bg\necho be''hind\n", "behind")  # it goes on, and neither draws nor reads
        assert screen.modes == before
        time.sleep(0.3)
        assert b"m mute" not in screen.said
        screen.presses("fg\n", "m mute")
        screen.presses("xyz", "xyz")
        assert screen.is_raw
        screen.presses("c", "ZeroDivisionError")
        screen.presses("echo af''ter\n", "after")
        assert screen.modes == before
    finally:
        shell.kill()
        shell.wait()


def test_without_a_keyboard_nothing_is_read_and_ctrl_c_is_told(screen):
    before, child = screen.modes, None
    ours, theirs = os.pipe()
    os.write(theirs, b"c" * 9)
    try:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLDER], cwd=ROOT, stdin=ours, stdout=screen.theirs,
            stderr=screen.theirs, start_new_session=True, env=os.environ | {"TERM": "xterm"},
        )  # fmt: skip
        screen.shows("Ctrl-C: end vcam")
        assert screen.modes == before
        time.sleep(0.3)
        child.terminate()
        assert child.wait(30) == 128 + signal.SIGTERM
        assert os.read(ours, 99) == b"c" * 9
    finally:
        if child:
            child.kill()
            child.wait()
        os.close(ours)
        os.close(theirs)
