"""Whether doctor sees what keeps vcam from writing."""

from __future__ import annotations

import pytest

from tests.platforms import WINDOWS, not_on_windows
from vcam import access
from vcam.cli import doctor_files
from vcam.cli.doctor_files import files
from vcam.cli.findings import failed

VARIABLES = {
    "Log and state": "XDG_STATE_HOME", "Cache": "VCAM_CACHE", "Profiles": "VCAM_PROFILES",
    "Models": "VCAM_MODELS", "Socket": "XDG_RUNTIME_DIR", "Service": "XDG_CONFIG_HOME",
}  # fmt: skip
NOT_HERE = ("Socket", "Service") if WINDOWS else ()  # a port and a task are no files of vcam's


@pytest.mark.parametrize("name", [name for name in VARIABLES if name not in NOT_HERE])
def test_a_file_where_a_folder_is_wanted_is_found(name, tmp_path, monkeypatch):
    for variable in VARIABLES.values():
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setenv(VARIABLES[name], str(tmp_path / "file"))
    (tmp_path / "file").touch()
    found = {check.name: check for check in files()}
    assert found[name].mend.startswith("move " if WINDOWS else "mv ")
    assert [each.name for each in found.values() if not each.ok] == [name]


def test_nothing_is_made(tmp_path, monkeypatch):
    for variable in VARIABLES.values():
        monkeypatch.setenv(variable, str(tmp_path / "new"))
    assert all(check.ok for check in files())
    assert list(tmp_path.iterdir()) == []


@not_on_windows("a folder that is somebody's current one cannot be removed there")
def test_a_current_folder_that_has_been_removed_is_told(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert [(check.name, check.mend) for check in files() if not check.ok] == [
        ("Current folder", "cd ~")
    ]


def test_a_full_disk_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(access, "_room", lambda path: False)
    (state,) = [check for check in doctor_files.files() if check.name == "Log and state"]
    assert "make room" in state.mend


def test_every_sentence_has_its_mend():
    assert failed("x", "it is so; run: y, or z").mend == "y, or z"
    assert failed("x", "it is so; name another place").mend == "name another place"
