"""The daemon as a terminal sees it: start it and learn how that went, end it, find it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from vcam import control, daemon, places, service, settings
from vcam.config import RunConfig
from vcam.errors import ConfigError, DeviceError, EngineError, NotRunning

PATIENCE = 600.0  # seconds for a daemon to become live: a GPU engine compiles for minutes
GRACE = 20.0  # seconds for one to end by itself
DEAF = 4.0  # seconds after which one that does not answer is not waited for
LOOK = 0.1  # seconds between two looks at one that starts or ends

Say = Callable[[str], None]


def start(config: RunConfig, say: Say = lambda note: None, patience: float = PATIENCE) -> int:
    """Put a run into the background, wait until it is live, and give its process number.

    `say` hears what it is doing. Raises DeviceError when one runs already, EngineError with the
    reason when it fails.
    """
    if sys.platform == "win32":
        raise ConfigError(
            "there is no daemon on Windows; let Task Scheduler run: vcam run --no-hud"
        )
    lock = control.locked(_keepers_lock())
    try:
        control.locked(control.lock_path()).close()
        settings.keep(settings.absolute(config))
        words, environment = daemon.command("keeper")
        keeper = subprocess.Popen(
            words,
            env=environment,
            cwd=Path.home(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )
        lock.truncate()
        lock.write(str(keeper.pid).encode())
    except OSError as error:
        raise DeviceError(f"cannot start: {error}") from error
    finally:
        lock.close()  # the keeper has inherited it
    return _await_live(keeper, say, patience)


def stop(grace: float = GRACE) -> None:
    """End the running vcam, whoever started it, and wait for its end; NotRunning if there is none.

    One that does not answer, or not end in time, is killed.
    """
    keeper, rim = keepers_process(), _rims_process()
    if keeper is None and rim is None:
        raise NotRunning("no vcam is running here; start one with: vcam start")
    try:
        control.ask({"do": "stop"}, patience=DEAF)
    except (DeviceError, ConfigError) as error:  # deaf, or still starting
        grace = DEAF if isinstance(error, DeviceError) else grace
        for process in (keeper, rim):
            _signal(process, signal.SIGTERM)
    running = [process for process in (keeper, rim) if process is not None]
    for process in _still_running(running, grace):
        _signal(process, signal.SIGKILL)
    _still_running(running, grace)


def restart(say: Say = lambda note: None) -> int:
    """End the running vcam if there is one, start it with the options it had, await it."""
    config = settings.kept()
    if _is_a_service():
        service.restart()
        return _await_live(None, say, PATIENCE)
    with contextlib.suppress(NotRunning):
        stop()
    return start(config, say)


def keepers_process() -> psutil.Process | None:
    """Who holds the keeper's lock: it wrote its number there; None when nobody does."""
    try:
        lock = control.locked(_keepers_lock())
    except DeviceError:
        return _process(_keepers_lock().read_text().strip())
    lock.close()
    return None


def _keepers_lock() -> Path:
    return places.runtime() / "keeper.lock"


def _rims_process() -> psutil.Process | None:
    """Who listens at the control socket, as the kernel tells, or else as it says itself."""
    try:
        with control.connected() as line:
            number = control.peer_pid(line) or control.ask({"do": "status"})["pid"]
    except DeviceError:
        return None
    return _process(str(number))


def _process(number: str) -> psutil.Process | None:
    try:
        return psutil.Process(int(number))
    except (ValueError, psutil.NoSuchProcess):
        return None


def _still_running(processes: list[psutil.Process], patience: float) -> list[psutil.Process]:
    """Those that have not ended after `patience` seconds; a zombie has."""
    end = time.monotonic() + patience
    while left := [process for process in processes if _runs(process)]:
        if time.monotonic() > end:
            break
        time.sleep(LOOK)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process | None, number: int) -> None:
    if process is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _is_a_service() -> bool:
    try:
        return bool(control.ask({"do": "status"}).get("service"))
    except DeviceError:
        return False


def _await_live(keeper: subprocess.Popen[str] | None, say: Say, patience: float) -> int:
    words = daemon.Tail(keeper.stderr if keeper else None, None)
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if keeper is not None and keeper.poll() is not None:
            raise EngineError(_reason(words.text(), keeper.returncode))
        if (found := _state()) is not None:
            number, engine = found
            if engine["state"] == "live":
                return number
            say(f"{engine['state']} {engine['note']}".strip())
        time.sleep(LOOK)
    raise EngineError(
        f"it is not live after {patience:.0f} s, and goes on trying; "
        "look with: vcam status, or end it with: vcam stop"
    )


def _state() -> tuple[int, dict[str, Any]] | None:
    """Process number and engine of the running vcam; None while it cannot be asked."""
    try:
        reply = control.ask({"do": "status"})
    except DeviceError:
        return None
    return int(reply["pid"]), reply["status"]["engine"]


def _reason(words: str, code: int) -> str:
    """Why it has ended, from what it said last."""
    if code == 0:
        return "it has ended by itself already; see: vcam logs"
    marker = "vcam: "
    if marker in words:
        return words[words.rindex(marker) + len(marker) :]
    last = words.splitlines()[-1] if words else f"exit code {code}"
    return f"it crashed ({last}); see: vcam logs"
