"""What a machine lacks costs one sentence, and only what needs it.

A library that does not load is a module of its name that raises what the real one raises.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import write_wav
from tests.fakes import tone
from tests.platforms import not_on_windows
from vcam import places
from vcam.audio import portaudio
from vcam.audio.microphone import list_microphones
from vcam.audio.server import ServerWatch
from vcam.cli import doctor, main
from vcam.errors import ConfigError, DeviceError, WeightsError
from vcam.profiles import profile
from vcam.system import missing, opencv
from vcam.system.missing import LITERT, OPENCV, PORTAUDIO, PULSE, PYVIRTUALCAM, TORCH
from vcam.weights import manifest

ROOT = Path(__file__).parents[2]
SAID = {  # by the loader, or by the package, where the library that it wraps is missing
    "argcomplete": 'ModuleNotFoundError("No module named argcomplete")',
    "cv2": 'ImportError("libGL.so.1: cannot open shared object file")',
    "pulsectl": 'OSError("libpulse.so.0: cannot open shared object file")',
    "sounddevice": 'OSError("PortAudio library not found")',
    "pyvirtualcam": 'ImportError("libv4l2.so.0: cannot open shared object file")',
}

# Where it is there and does not load, Windows lacks a library of Microsoft's.
CAMERA = "winget install " if sys.platform == "win32" else r".*pip install .*\[camera\]"

Without = Callable[..., None]


def stub(folder: Path, *names: str) -> Path:
    """A folder of modules that do not load."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.py").write_text(f"raise {SAID[name]}\n")
    return folder


@pytest.fixture
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Without:
    """Let these libraries be missing in this process."""
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/none")
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))

    def take(*names: str) -> None:
        for name in names:
            monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.syspath_prepend(stub(tmp_path / "stubs", *names))

    return take


def imported(path: Path, anywhere: bool) -> set[str]:
    """Packages that `path` imports: `anywhere`, or by being imported itself."""
    tree = ast.parse(path.read_text("utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree) if anywhere else tree.body:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def test_what_may_be_missing_is_loaded_in_one_place() -> None:
    """`missing.PIECE.load()` says what lacks; an import would end in a traceback."""
    may_lack = {"cv2", "pulsectl", "sounddevice", "ai_edge_litert", "argcomplete"}
    files = sorted((ROOT / "vcam").rglob("*.py"))
    found = {str(path.relative_to(ROOT)): imported(path, True) & may_lack for path in files}
    assert {name: what for name, what in found.items() if what} == {}


def test_every_test_can_be_collected_without_a_sound_library() -> None:
    files = sorted((ROOT / "tests").rglob("*.py"))
    may_lack = {"pulsectl", "sounddevice", "pyvirtualcam"}
    found = {str(path.relative_to(ROOT)): imported(path, False) & may_lack for path in files}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    ("piece", "said"),
    [
        (
            OPENCV,
            r"OpenCV does not load \(libGL\.so\.1.*\), so .*; run: .*pip uninstall .*-headless",
        ),
        (PULSE, "libpulse is missing, so .*; run: sudo apt install libpulse0"),
        (PORTAUDIO, "PortAudio is missing, so .*; run: (sudo apt install libportaudio2|.*pip)"),
        (PYVIRTUALCAM, rf"pyvirtualcam does not load \(libv4l2.*; run: {CAMERA}"),
    ],
)
def test_a_library_that_does_not_load_is_told_with_its_mend(
    without: Without, piece: missing.Piece, said: str
) -> None:
    without(piece.module)
    assert piece.is_here
    with pytest.raises(DeviceError, match=f"^{said}"):
        piece.load()


@pytest.mark.parametrize("piece", [LITERT, TORCH])
def test_a_package_that_is_not_installed_is_told_with_its_mend(
    piece: missing.Piece, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    for name in [name for name in sys.modules if name.partition(".")[0] in piece.module]:
        monkeypatch.delitem(sys.modules, name)
    assert not piece.is_here
    for ask in (piece.load, piece.require):
        with pytest.raises(piece.raises, match=r"is missing, so .*; run: .*pip install .*\["):
            ask()


def test_what_opencv_has_is_found_in_it() -> None:
    cv2 = pytest.importorskip("cv2")
    assert opencv.resize is cv2.resize
    assert not hasattr(opencv, "draw_a_face")


def test_without_libpulse_there_is_no_sound_server(without: Without) -> None:
    without("pulsectl")
    assert portaudio.server_name() is None
    with pytest.raises(DeviceError, match="libpulse0"), portaudio.connected():
        pytest.fail("there is none")
    watch = ServerWatch()
    watch.start()
    try:
        assert watch.microphone(None) == ""
        assert not watch.has_virtual_microphone
    finally:
        watch.close()


def test_doctor_and_devices_work_where_every_library_is_missing(
    without: Without, capsys: pytest.CaptureFixture[str]
) -> None:
    without(*SAID)
    found = {check.name: check for check in doctor.examine()}
    assert not any(found[name].ok for name in ("OpenCV", "PortAudio"))
    assert [check.name for check in found.values() if not check.ok and not check.mend] == []
    if sys.platform == "linux":
        assert found["Sound server"].mend == PULSE.mend
    assert main.main(["devices"]) == 0
    assert "PortAudio is missing" in capsys.readouterr().out
    (microphone,) = list_microphones()
    assert PORTAUDIO.mend in str(microphone.trouble)


def test_a_run_from_a_file_needs_no_library_for_sound(
    without: Without, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without("pulsectl", "sounddevice", "pyvirtualcam")
    speech = str(write_wav(tmp_path / "speech.wav", tone(0.3)))
    run = ["run", "--camera", "none", "--no-hud", "--size", "128"]
    assert main.main([*run, "--wav", speech]) == 0
    assert "frames in" in capsys.readouterr().out
    assert main.main(run) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("vcam: PortAudio is missing")


COMMANDS = """
import sys
from vcam.cli.main import main
for line in sys.stdin:
    print("->", main(line.split()), file=sys.stderr, flush=True)
"""


def test_without_opencv_only_what_draws_ends(tmp_path: Path) -> None:
    speech = write_wav(tmp_path / "speech.wav", tone(0.3))
    commands = {
        "doctor": 1, "devices": 0, "status": 3, "stop": 1, "logs": 0, "models list": 0,
        "profile list": 0, f"run --wav {speech} --camera none --no-hud": 1,
        f"render {speech} -o {tmp_path}/film.mp4": 1,
    }  # fmt: skip
    folders = dict.fromkeys(("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_DATA_HOME"), str(tmp_path))
    paths = os.pathsep.join([str(stub(tmp_path / "stubs", "cv2")), str(ROOT)])
    ran = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        input="\n".join(commands), env=os.environ | folders | {"PYTHONPATH": paths},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    codes = [int(line[3:]) for line in ran.stderr.splitlines() if line.startswith("-> ")]
    assert dict(zip(commands, codes, strict=True)) == commands, ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stderr.count("OpenCV does not load (libGL.so.1") == 2
    assert not list(tmp_path.glob("*film*"))


def test_a_compiler_is_the_one_that_is_named_or_any(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CC", "my-cc")
    assert missing.compiler() is None
    suffix = ".exe" if sys.platform == "win32" else ""
    for name in ("clang", "my-cc"):
        there = tmp_path / f"{name}{suffix}"
        there.write_text("#!/bin/sh\n")
        there.chmod(0o700)
        assert Path(missing.compiler() or "").samefile(there)


@pytest.mark.parametrize("asked", [False, True])
def test_without_completion_a_shell_is_told_why(
    asked: bool, without: Without,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    without("argcomplete")
    code: object = 0
    if asked:  # by a Tab
        monkeypatch.setenv("_ARGCOMPLETE", "1")
        with pytest.raises(SystemExit) as ended:
            main.main([])
        code = ended.value.code
    else:
        code = main.main(["completion", "bash"])
    said = capsys.readouterr()
    assert code == 1
    assert said.out == ""
    assert said.err.startswith("vcam: argcomplete is missing, so no shell completes what is typed;")
    assert said.err.count("\n") == 1


def test_a_user_without_a_home_can_do_what_needs_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a container whose user the system does not know, and `HOME` is not set."""

    def nobody(path: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody.__get__(Path))
    for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "VCAM_PROFILES", "VCAM_MODELS"):
        monkeypatch.delenv(name, raising=False)
    assert profile.load("demo").title
    assert "demo" in profile.names()
    for ask in (places.state, profile.home):
        with pytest.raises(ConfigError, match="no home folder; set HOME"):
            ask()
    with pytest.raises(WeightsError, match="set VCAM_MODELS"):
        manifest.folder()
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path))
    assert profile.home() == tmp_path


@not_on_windows("nothing of vcam's lies in its temporary folder")
def test_no_temporary_folder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(ConfigError, match="set TMPDIR"):
        places.runtime()
