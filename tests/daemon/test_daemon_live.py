"""A daemon as a user has it: started, asked, killed, started again, ended."""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.conftest import write_wav
from tests.fakes import tone
from tests.platforms import WINDOWS, kill, not_on_windows, suspend

ROOT = Path(__file__).parents[2]
KILLED = "exit code 15" if WINDOWS else "signal 9"  # as psutil ends a process there
PATIENCE = 300.0 if WINDOWS else 120.0  # seconds for a command; under Wine a start takes a minute


class User:
    """Somebody at a terminal, with folders of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "run").mkdir(mode=0o700)
        folders = {"XDG_RUNTIME_DIR": "run", "XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "config"}
        self.environment = os.environ | {name: str(home / at) for name, at in folders.items()}
        self.environment.pop("PULSE_SERVER", None)
        self.speech = write_wav(home / "speech.wav", tone(2.0))

    def types(self, *words: str, says: str = "", code: int = 0) -> str:
        """What `vcam WORDS` answers."""
        answer = self._run(*words)
        told = answer.stdout + answer.stderr
        assert says in told
        assert answer.returncode == code, told
        return told

    def starts(self, *options: str) -> psutil.Process:
        """`vcam start`, speaking from a file."""
        what = ["--wav", str(self.speech), "--loop", "--camera", "none", "--size", "128"]
        self.types("start", *what, *options, says="vcam is live")
        return self.rim()

    def rim(self) -> psutil.Process:
        said = self.ask({"do": "status"})
        assert said["ok"]
        return psutil.Process(said["pid"])

    def ask(self, request: dict) -> dict:
        code = "import json, sys; from vcam.control.server import ask; "
        code += "print(json.dumps(ask(json.loads(sys.argv[1]))))"
        asked = subprocess.run(
            [sys.executable, "-c", code, json.dumps(request)],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=PATIENCE,
            check=True,
        )  # fmt: skip
        return json.loads(asked.stdout)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Into files: what a daemon would hold of a pipe keeps it open."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(
                [sys.executable, "-m", "vcam", *words],
                cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                timeout=PATIENCE,
            )  # fmt: skip
            for file in (out, err):
                file.seek(0)
            return subprocess.CompletedProcess(words, done.returncode, out.read(), err.read())


@pytest.fixture
def user(tmp_path):
    user = User(tmp_path)
    yield user
    user._run("stop")


def runs(process: psutil.Process) -> bool:
    """Whether it has not ended; a zombie has, however late somebody buries it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE / 2) -> None:
    """Wait until it holds; a busy machine takes its time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_daemon_from_its_start_to_its_end(user):
    user.types("status", says="no vcam is running here; start one with: vcam start", code=3)
    user.types("stop", says="no vcam is running", code=1)
    user.types("restart", says="nothing was started before", code=1)
    user.types("logs", says="nothing has happened yet; it will be in")
    first = user.starts("--metrics", str(user.home / "vcam.prom"))
    if not WINDOWS:
        assert os.getsid(first.pid) != os.getsid(0)  # a closing terminal does not end it
        assert first.parent().terminal() is None
    user.types("start", "--camera", "none", says="another vcam is running", code=1)
    user.types("status", says="camera none")
    user.types("mute", says="muted")
    user.types("camera", str(user.home / "film.mp4"))
    numbers = json.loads(user.types("status", "--json"))
    assert numbers["presence"] == "muted"
    assert numbers["camera"].endswith("film.mp4")
    # A restart keeps the options, also those that hot commands changed.
    user.types("restart", says="vcam is live")
    second = user.rim()
    assert second.pid != first.pid
    numbers = json.loads(user.types("status", "--json"))
    assert (numbers["presence"], numbers["microphone"]) == ("muted", "speech.wav")
    assert (user.home / "film.mp4").stat().st_size > 0  # the first film was finished
    assert "vcam_up 1" in (user.home / "vcam.prom").read_text()
    supervisor = second.parent()
    user.types("stop")
    assert not runs(supervisor)
    assert not runs(second)
    user.types("status", code=3)
    log = user.types("logs", "-n", "100")
    assert log.count("begins: camera") == 2
    assert log.count("presence: live -> muted") + log.count("presence: muted") >= 1
    assert log.count("ends after") == 2


@pytest.mark.slow
def test_a_rim_that_is_killed_begins_again_as_it_was(user):
    first = user.starts()
    user.types("mute", says="muted")
    engines = first.children()
    kill(first.pid)
    eventually(lambda: not any(runs(engine) for engine in engines), 10)
    eventually(lambda: user._run("status").returncode == 0)
    second = user.rim()
    assert second.pid != first.pid
    assert user.ask({"do": "status"})["status"]["presence"] == "muted"
    user.types("logs", says=f"vcam died ({KILLED}); started again in 0 s")
    # Everything killed, as by a power cut: what is left behind is known to be stale.
    supervisor = second.parent()
    kill(supervisor.pid)
    with contextlib.suppress(psutil.NoSuchProcess):  # on Windows it has ended with its supervisor
        kill(second.pid)
    eventually(lambda: not runs(supervisor) and not runs(second))
    assert (user.home / "run" / "vcam" / "control.sock").exists()
    user.types("status", says="no vcam is running", code=3)
    user.types("restart", says="vcam is live")
    assert user.ask({"do": "status"})["status"]["presence"] == "muted"


@pytest.mark.slow
def test_a_start_that_fails_says_why(user):
    if not WINDOWS:  # where no camera has a path
        user.types("start", "--camera", "/dev/video99", says="there is no /dev/video99", code=1)
    user.types("start", "--profile", "nobody", says="no profile called nobody", code=1)
    user.types("start", "--wav", "none.wav", "--camera", "none", says="none.wav", code=1)
    short = ["--wav", str(user.speech), "--camera", "none", "--seconds", "0.1"]
    user.types("start", *short, says="it has ended by itself already", code=1)
    user.types("status", code=3)


@pytest.mark.slow
def test_a_daemon_that_does_not_answer_is_ended_all_the_same(user):
    rim = user.starts()
    supervisor = rim.parent()
    suspend(rim.pid)
    user.types("stop")
    assert not runs(rim)
    assert not runs(supervisor)
    user.types("status", code=3)


@pytest.mark.slow
def test_three_terminals_may_watch_at_once(user):
    user.starts()
    command = [sys.executable, "-m", "vcam", "monitor"]
    watching = [
        subprocess.Popen(command, cwd=ROOT, env=user.environment, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for each in watching:
        while "fps" not in each.stderr.readline():
            assert each.poll() is None
    user.types("stop")
    for each in watching:
        said = each.communicate(timeout=20)
        assert each.returncode == 0, said


@not_on_windows("a unit is systemd's")
def test_the_unit_is_one_that_systemd_understands(user):
    unit = user.home / "vcam.service"
    unit.write_text(user.types("service", "show", says='"-m" "vcam.daemon" "rim"'))
    read = configparser.ConfigParser(interpolation=None)
    read.optionxform = str
    read.read(unit)
    assert read["Service"]["Restart"] == "on-failure"
    assert shlex.split(read["Service"]["ExecStart"])[0] == sys.executable
    if shutil.which("systemd-analyze"):
        command = ["systemd-analyze", "verify", "--man=no", str(unit)]
        said = subprocess.run(command, capture_output=True, text=True).stderr
        assert "vcam.service" not in said, said


@not_on_windows("a unit is systemd's")
def test_without_systemd_the_service_says_what_to_do_instead(user):
    user.environment["PATH"] = str(user.home)
    user.types("service", "install", says="use: vcam start", code=1)
    user.types("service", "remove", says="use: vcam start", code=1)
