"""Files that belong to others, or are none: one sentence with the command that mends it."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vcam import access, places
from vcam.errors import DeviceError
from vcam.monitor import logs

if not hasattr(os, "getuid"):
    pytest.skip("files have no such owners here", allow_module_level=True)

ROOT = Path(__file__).parents[1]
SOMEBODY = 54321
DROPPED = (1, 2, 3)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER of Linux


def drop() -> None:
    """Permissions mean something to root as well from now on; in a child, before it executes."""
    for capability in DROPPED:
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own, for this process and for what it starts."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "VCAM_PROFILES", "VCAM_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def vcam(*words: str) -> subprocess.CompletedProcess[str]:
    """`vcam WORDS` as a user to whom permissions mean something."""
    return subprocess.run(
        [sys.executable, "-m", "vcam", *words], capture_output=True, text=True, timeout=60,
        cwd=ROOT, preexec_fn=drop if os.getuid() == 0 else None,
    )  # fmt: skip


def foreign(path: Path) -> Path:
    """`path`, as sudo would have made it."""
    if os.getuid() != 0 or not sys.platform.startswith("linux"):
        pytest.skip("only root of Linux can give files away")
    os.chown(path, SOMEBODY, SOMEBODY)
    path.chmod(0o700 if path.is_dir() else 0o600)
    return path


def test_a_log_of_another_owner_is_told_with_what_mends_it(home):
    folder = home / ".local/state/vcam"
    folder.mkdir(parents=True)
    (folder / "vcam.log").touch()
    foreign(folder / "vcam.log")
    told = vcam("logs")
    assert told.returncode == 1
    assert told.stderr.endswith("run: sudo chown -R $USER ~/.local/state/vcam\n")
    assert len(told.stderr.splitlines()) == 1
    doctor = vcam("doctor").stdout
    assert "✗ Log and state" in doctor
    assert "mend it:  sudo chown -R $USER ~/.local/state/vcam" in doctor


def test_the_topmost_foreign_folder_is_the_one_to_mend(home):
    foreign_folder = home / ".local"
    foreign_folder.mkdir()
    foreign(foreign_folder)
    assert "run: sudo chown -R $USER ~/.local, or set XDG_STATE_HOME" in vcam("logs").stderr
    assert vcam("start", "--camera", "none").returncode == 1


def test_what_its_owner_may_not_use_either(home):
    profiles = home / ".local/share/vcam/profiles"
    profiles.mkdir(parents=True)
    profiles.chmod(0)
    told = vcam("profile", "list")
    profiles.chmod(0o700)
    assert told.returncode == 1
    assert "run: chmod -R u+rwX ~/.local/share/vcam/profiles" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_what_lies_in_the_way_is_named(home):
    state = home / ".local/state/vcam"
    (state / "vcam.log").mkdir(parents=True)
    with pytest.raises(DeviceError, match=r"a folder where a file is expected; run: mv ~/.local"):
        logs.newest(3)
    (state / "vcam.log").rmdir()
    (state / "vcam.log").symlink_to("/nowhere/at all")
    with pytest.raises(DeviceError, match=r"a link to nothing; run: rm ~/.local/state"):
        logs.newest(3)
    (state / "vcam.log").unlink()
    state.rmdir()
    state.touch()
    with pytest.raises(DeviceError, match="a file where a folder is expected; run: mv ~/"):
        places.state()


def test_a_log_that_cannot_be_written_is_said_once_and_hurts_nobody(home):
    (home / ".local/state/vcam/vcam.log").mkdir(parents=True)
    with logs.opened() as log:
        first = log.trouble
        assert "a folder where a file is expected; run: mv" in first
        logs.log.info("lost")
        assert log.trouble == first
        (home / ".local/state/vcam/vcam.log").rmdir()
        logs.log.info("kept")
        assert log.trouble == ""


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EMFILE, "too many files are open; "),
        (errno.EFBIG, "no file may grow so large here; run: "),
        (errno.EROFS, "set XDG_STATE_HOME to a folder of yours"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_what_befell_a_file_is_told_in_one_line(tmp_path, number, mend):
    error = OSError(number, os.strerror(number))
    told = access.refusal(tmp_path / "x", error, "XDG_STATE_HOME")
    assert mend in told
    assert "\n" not in told
    assert access.explained(error)


@pytest.mark.skipif(sys.platform != "linux", reason="another system has other limits")
@pytest.mark.parametrize(
    ("now", "most", "user", "mend"),
    [
        (20, 4096, 1000, "run: ulimit -n 1024"),
        (20, -1, 1000, "run: ulimit -n 1024"),
        (20, 20, 0, "for good: open a new one"),  # in a container root may not lift it either
        (20, 20, 1000, "run: sudo prlimit --pid $$ --nofile=1024"),
        (4096, 4096, 1000, "start vcam again"),  # no shell has that few
    ],
)
def test_a_limit_is_lifted_by_who_may(now, most, user, mend, monkeypatch):
    """Above the hard limit a shell cannot go by itself."""
    monkeypatch.setattr("resource.getrlimit", lambda which: (now, most))
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert access.explained(OSError(errno.EMFILE, "")).endswith(mend)


def test_a_missing_folder_is_named_with_the_command_that_makes_it(tmp_path):
    error = FileNotFoundError(errno.ENOENT, "No such file or directory")
    told = access.refusal(tmp_path / "my films" / "x.mp4", error)
    assert told.endswith(f"run: mkdir -p '{tmp_path}/my films'")


def test_on_windows_the_commands_are_those_of_its_shells(tmp_path, monkeypatch):
    """cmd and PowerShell know `del` and `move`; cmd knows neither tilde nor single quotes."""
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a file").touch()
    error = NotADirectoryError(errno.ENOTDIR, "Not a directory")
    told = access.refusal(tmp_path / "a file" / "x", error)
    assert told.endswith(f'run: move "{tmp_path}/a file" "{tmp_path}/a file.old"')
    assert access.removal(tmp_path / "x.sock") == f"del {tmp_path}/x.sock"
    told = access.refusal(tmp_path / "log", PermissionError(errno.EACCES, ""), "XDG_STATE_HOME")
    assert "another program has it open" in told
    assert told.endswith("set XDG_STATE_HOME to a folder of yours")


@pytest.mark.parametrize("limit", ["ulimit -n 20", "ulimit -n 28", "ulimit -f 1"])
def test_small_limits_cost_one_sentence(tmp_path, limit):
    film = tmp_path / "film.mp4"
    shell = f'{limit}; exec "$0" -m vcam run --wav vcam/assets/hello.wav --camera "$1" --voice none'
    told = subprocess.run(
        ["bash", "-c", shell, sys.executable, str(film)], cwd=ROOT, capture_output=True, text=True,
        timeout=60, env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    assert told.returncode == 1
    asks = "open a new one" if os.geteuid() == 0 else "sudo prlimit --pid $$ --"
    assert told.stderr.count("\n") == 1
    assert asks in told.stderr
    assert not [each for each in tmp_path.iterdir() if each.name.endswith((".part", ".mp4"))]
