"""Commands that add to the vcam that runs, wherever it was installed from."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.platforms import not_on_windows
from vcam.system import install

HOME = Path(__file__).parents[2]
unix = not_on_windows("the words are those of a Unix shell")


class Distribution:
    """What pip has noted about an installation."""

    def __init__(self, url: str = "", editable: bool = False) -> None:
        self.told = json.dumps({"url": url, "dir_info": {"editable": editable}}) if url else None

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.told


@pytest.fixture(autouse=True)
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment `.venv` in the current folder."""
    folder = tmp_path / "my clone" / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "pip").touch()
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.chdir(tmp_path / "my clone")
    return folder / "python"


def came_from(monkeypatch: pytest.MonkeyPatch, found: Distribution) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda name: found)


@unix
def test_in_a_clone_it_is_the_clone_that_gets_more(monkeypatch):
    came_from(monkeypatch, Distribution(Path.cwd().as_uri(), editable=True))
    assert install.extra("neural") == ".venv/bin/pip install -e '.[neural]'"


@unix
def test_from_elsewhere_the_clone_and_its_pip_are_named_whole(monkeypatch, tmp_path):
    clone = Path.cwd()
    came_from(monkeypatch, Distribution(clone.as_uri(), editable=True))
    monkeypatch.chdir(tmp_path.parent)
    words = shlex.split(install.extra("face"))
    assert words[1:3] == ["install", "-e"]
    assert words[3] == f"{clone}[face]"
    assert (Path.cwd() / words[0]).samefile(clone / ".venv" / "bin" / "pip")


@unix
def test_a_copy_of_a_folder_is_asked_for_again(monkeypatch):
    came_from(monkeypatch, Distribution("file:///opt/v%20cam"))
    assert install.extra("heic") == ".venv/bin/pip install '/opt/v cam[heic]'"


@unix
@pytest.mark.parametrize("url", ["", "https://example.org/vcam.whl"])
def test_from_the_index_it_is_our_package_and_not_the_strangers(monkeypatch, url):
    came_from(monkeypatch, Distribution(url))
    assert install.extra("camera") == ".venv/bin/pip install 'vcam-avatar[camera]'"


@unix
def test_without_a_pip_python_or_uv_stands_in(monkeypatch, python):
    python.with_name("pip").unlink()
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert install.pip("install") == ".venv/bin/python -m pip install"
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert install.pip("install") == "uv pip install -p .venv/bin/python"


@unix
def test_pip_in_a_longer_command_is_ours():
    command = "pip uninstall -y a && pip install /x/pip-1.whl"
    assert install.here(command) == (
        ".venv/bin/pip uninstall -y a && .venv/bin/pip install /x/pip-1.whl"
    )


def test_on_windows_the_quotes_are_those_of_its_shells(monkeypatch, python):
    """cmd takes a single quote for a part of the program's name."""
    monkeypatch.setattr(sys, "platform", "win32")
    came_from(monkeypatch, Distribution(Path.cwd().as_uri(), editable=True))
    python.with_name("pip.exe").touch()
    assert install.extra("neural").replace("\\", "/") == '.venv/bin/pip.exe install -e ".[neural]"'
    came_from(monkeypatch, Distribution())
    assert install.extra("face").endswith(' install "vcam-avatar[face]"')


@unix
def test_a_folder_on_a_drive_of_windows_is_named_as_there(monkeypatch):
    came_from(monkeypatch, Distribution("file:///C:/v%20cam", editable=True))
    assert install.extra("face").endswith(" install -e 'C:/v cam[face]'")


@pytest.mark.slow  # starts pip
def test_the_advised_command_is_one_that_pip_understands(monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(HOME)
    words = [
        *shlex.split(install.extra("camera")),
        "--dry-run",
        "--no-deps",
        "--no-build-isolation",
    ]
    done = subprocess.run(words, cwd=HOME, capture_output=True, text=True, timeout=120)
    assert "vcam" in done.stdout + done.stderr
    assert "no such option" not in done.stderr
