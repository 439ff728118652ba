"""What a confined process can no longer do, tried for real in child processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vcam.weights.sandbox import confine

LINUX = sys.platform == "linux"
PRELUDE = (
    "import sys, os, socket, json\nfrom pathlib import Path\nfrom vcam.weights import sandbox\n"
)

# Each tries something hostile; FOLDER and FILE (holding "precious") are outside its target.
ATTEMPTS = {
    "create a file": "Path(FOLDER, 'new').write_text('x')",
    "overwrite a file": "Path(FILE).write_text('x')",
    "append to a file": "open(FILE, 'a').write('x')",
    "truncate a file": "os.truncate(FILE, 0)",
    "open for update": "os.open(FILE, os.O_RDWR)",
    "remove a file": "os.unlink(FILE)",
    "rename a file": "os.rename(FILE, FILE + '2')",
    "link a file": "os.link(FILE, FILE + '2')",
    "make a symbolic link": "os.symlink(FILE, FILE + '2')",
    "make a folder": "os.mkdir(FOLDER + '/sub')",
    "make a pipe": "os.mkfifo(FOLDER + '/pipe')",
    "change a mode": "os.chmod(FILE, 0o777)",
    "change an owner": "os.chown(FILE, 1, 1)",
    "change a time": "os.utime(FILE, (1, 1))",
    "set an attribute": "os.setxattr(FILE, 'user.x', b'1')",
    "open a TCP socket": "socket.create_connection(('127.0.0.1', PORT), 2)",
    "open a UDP socket": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "open a Unix socket": "socket.socket(socket.AF_UNIX)",
    "start a program": "os.execv('/bin/sh', ['sh', '-c', 'echo x > ' + FILE])",
    "spawn a program": (
        "import subprocess; subprocess.run(['/bin/sh', '-c', 'echo x > ' + FILE], check=True)"
    ),
    "kill its parent": "os.kill(os.getppid(), 0)",
    "write into its parent": "open(f'/proc/{os.getppid()}/mem', 'r+b')",
    "use a second thread": (
        "from concurrent.futures import ThreadPoolExecutor as P; "
        "P(1).submit(Path(FOLDER, 'new').write_text, 'x').result()"
    ),
}


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "file").write_text("precious")
    return folder


def run(attempt: str, precious: Path, port: int = 9, confined: bool = True) -> str:
    """What became of the attempt in a child: "done", or the error's name."""
    names = {"FOLDER": str(precious), "FILE": str(precious / "file"), "PORT": port}
    code = PRELUDE + "".join(f"{name} = {value!r}\n" for name, value in names.items())
    code += "sandbox.confine()\n" if confined else ""
    code += f"try:\n    {attempt}\nexcept BaseException as error:\n"
    code += "    print(type(error).__name__)\nelse:\n    print('done')\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    return done.stdout.strip() or f"died with {done.returncode}: {done.stderr[-200:]}"


def locks() -> list[str]:
    code = "import json; from vcam.weights import sandbox; print(json.dumps(sandbox.confine()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def locked() -> None:
    if not LINUX:
        pytest.skip("only Linux has Landlock and seccomp")
    missing = {"landlock", "seccomp"} - set(locks())
    if missing:
        pytest.skip(f"this kernel offers no {' and no '.join(missing)}")


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_a_confined_process_cannot(attempt: str, precious: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        outcome = run(attempt, precious, server.getsockname()[1])
        assert outcome in ("PermissionError", "OSError"), outcome
        server.settimeout(0.0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert [path.name for path in precious.iterdir()] == ["file"]
    assert (precious / "file").read_text() == "precious"
    assert (precious / "file").stat().st_mode & 0o777 != 0o777


@pytest.mark.parametrize(
    "name", ["create a file", "open a UDP socket", "open a TCP socket", "change a mode"]
)
def test_the_same_attempts_succeed_without_it(name: str, precious: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert run(ATTEMPTS[name], precious, port, confined=False) == "done"


@pytest.mark.usefixtures("locked")
def test_what_was_open_stays_usable_and_reading_is_allowed(tmp_path: Path) -> None:
    code = PRELUDE + (
        "sandbox.confine()\nos.write(1, b'result ')\nprint(Path(sys.argv[1]).read_text())"
    )
    (tmp_path / "input").write_text("content")
    command = [sys.executable, "-c", code, str(tmp_path / "input")]
    with (tmp_path / "target").open("wb") as target:
        subprocess.run(command, stdout=target, check=True, timeout=60)
    assert (tmp_path / "target").read_text() == "result content\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource limits")
@pytest.mark.parametrize(
    ("attempt", "outcome"),
    [
        ("bytearray(200 << 20)", "MemoryError"),
        (
            "big = os.open(FOLDER + '/big', os.O_WRONLY | os.O_CREAT); "
            "assert os.write(big, bytes(2 << 20)) == 1 << 20; os.write(big, b'x')",
            "OSError",
        ),
        ("exec('while True: pass')", "died with -9"),
    ],
    ids=["memory", "file size", "time"],
)
def test_limits_hold(attempt: str, outcome: str, precious: Path) -> None:
    limited = f"sandbox.limit(100 << 20, 1, 1 << 20); {attempt}"
    assert run(limited, precious, confined=False).startswith(outcome)


def test_elsewhere_it_says_that_nothing_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert confine() == []
