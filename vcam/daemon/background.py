"""The daemon as a terminal sees it: start it and learn how that went, end it, find it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

import psutil

from vcam import access, clock, places
from vcam.config import RunConfig
from vcam.control import endpoint, server, settings
from vcam.control.peers import peer_pid
from vcam.daemon import service, supervisor
from vcam.errors import Busy, ConfigError, DeviceError, EngineError, NotRunning
from vcam.system import offspring

PATIENCE = 600.0  # seconds for a daemon to become live: a GPU engine compiles for minutes
GRACE = 20.0  # seconds for one to end by itself
DEAF = 4.0  # seconds after which one that does not answer is not waited for
POLL_INTERVAL = 0.1  # seconds between two looks at one that starts or ends

Say = Callable[[str], None]


def start(config: RunConfig, say: Say = lambda note: None, patience: float = PATIENCE) -> int:
    """Put a run into the background, wait until it is live, and give its process number.

    `say` hears what it is doing. Raises DeviceError when one runs already, EngineError with the
    reason when it fails.
    """
    lock = endpoint.locked(supervisor.lock_path())
    try:
        endpoint.locked(endpoint.lock_path()).close()
        settings.keep(settings.absolute(config))
        parent = _begun(lock)
    except OSError as error:
        raise DeviceError(f"cannot start: {access.explained(error)}") from error
    finally:
        lock.close()  # the supervisor has inherited it, or takes it now
    return _await_live(parent, say, patience)


def _begun(lock: BinaryIO) -> subprocess.Popen[str]:
    """The supervisor, out of reach of this terminal and of its end. Raises OSError."""
    words, environment = supervisor.command("supervisor")
    begin = partial(
        subprocess.Popen[str],
        words,
        env=environment,
        cwd=places.home(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if sys.platform == "win32":
        lock.close()  # nobody can inherit it
        return offspring.detached(begin)
    parent = begin(start_new_session=True, pass_fds=[lock.fileno()])
    supervisor.note_holder(lock, parent.pid)
    return parent


def stop(grace: float = GRACE) -> None:
    """End the running vcam, whoever started it, and wait for its end; NotRunning if there is none.

    One that does not answer, or not end in time, is killed.
    """
    parent, rim = supervisors_process(), _rims_process()
    if parent is None and rim is None:
        raise endpoint.nobody()
    try:
        server.ask({"do": "stop"}, patience=DEAF)
    except (DeviceError, ConfigError) as error:  # deaf, or still starting
        grace = DEAF if isinstance(error, DeviceError) else grace
        for process in (parent, rim):
            _signal(process, signal.SIGTERM)
    running = [process for process in (parent, rim) if process is not None]
    for process in _still_running(running, grace):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):  # it ends already
            process.kill()
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


def is_running() -> bool:
    """Whether a vcam of this user runs, or is about to."""
    return supervisors_process() is not None or _state() is not None


def supervisors_process() -> psutil.Process | None:
    """Who holds the supervisor's lock: it wrote its number there; None when nobody does."""
    try:
        lock = endpoint.locked(supervisor.lock_path())
    except Busy:
        return _process(supervisor.lock_path().read_text().strip())
    lock.close()
    return None


def _rims_process() -> psutil.Process | None:
    """Who listens at the control socket, as the kernel tells, or else as it says itself."""
    try:
        with server.connected(patience=DEAF) as line:
            number = peer_pid(line) or server.ask({"do": "status"}, patience=DEAF)["pid"]
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
    end = clock.now() + patience
    while left := [process for process in processes if _runs(process)]:
        if clock.now() > end:
            break
        time.sleep(POLL_INTERVAL)
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
        return bool(server.ask({"do": "status"}).get("service"))
    except DeviceError:
        return False


def _await_live(parent: subprocess.Popen[str] | None, say: Say, patience: float) -> int:
    words = supervisor.Tail(parent.stderr if parent else None, None)
    end = clock.now() + patience
    while clock.now() < end:
        if parent is not None and parent.poll() is not None:
            raise EngineError(_reason(words.text(), parent.returncode))
        if (found := _state()) is not None:
            number, engine = found
            if engine["state"] == "live":
                return number
            say(f"{engine['state']} {engine['note']}".strip())
        time.sleep(POLL_INTERVAL)
    raise EngineError(
        f"it is not live after {patience:.0f} s, and goes on trying; "
        "look with: vcam status, or end it with: vcam stop"
    )


def _state() -> tuple[int, dict[str, Any]] | None:
    """Process number and engine of the running vcam; None while it cannot be asked."""
    try:
        reply = server.ask({"do": "status"})
    except DeviceError:
        return None
    return int(reply["pid"]), reply["status"]["engine"]


def troubles() -> list[str]:
    """What the running vcam has to complain of, such as a log that cannot be written."""
    try:
        return list(server.ask({"do": "status"})["status"]["trouble"])
    except DeviceError:
        return []


def _reason(words: str, code: int) -> str:
    """Why it has ended, from what it said last."""
    if code == 0:
        return "it has ended by itself already; see: vcam logs"
    marker = "vcam: "
    if marker in words:
        said = words[words.rindex(marker) + len(marker) :]
        return "\n".join(line.strip() for line in said.splitlines())
    last = words.splitlines()[-1] if words else f"exit code {code}"
    return f"it crashed ({last}); see: vcam logs"
