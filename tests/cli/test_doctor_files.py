"""Whether doctor sees what keeps vcam from writing."""

from __future__ import annotations

import pytest

from vcam import access
from vcam.cli import doctor_files
from vcam.cli.doctor_files import files
from vcam.cli.findings import failed

VARIABLES = {
    "Log and state": "XDG_STATE_HOME", "Cache": "VCAM_CACHE", "Profiles": "VCAM_PROFILES",
    "Models": "VCAM_MODELS", "Socket": "XDG_RUNTIME_DIR", "Service": "XDG_CONFIG_HOME",
}  # fmt: skip


@pytest.mark.parametrize("name", VARIABLES)
def test_a_file_where_a_folder_is_wanted_is_found(name, tmp_path, monkeypatch):
    for variable in VARIABLES.values():
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setenv(VARIABLES[name], str(tmp_path / "file"))
    (tmp_path / "file").touch()
    found = {check.name: check for check in files()}
    assert found[name].mend.startswith("mv ")
    assert [each.name for each in found.values() if not each.ok] == [name]


def test_nothing_is_made(tmp_path, monkeypatch):
    for variable in VARIABLES.values():
        monkeypatch.setenv(variable, str(tmp_path / "new"))
    assert all(check.ok for check in files())
    assert list(tmp_path.iterdir()) == []


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
