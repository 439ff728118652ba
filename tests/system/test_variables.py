"""Whatever vcam reads of its environment, a service in the background is told."""

from __future__ import annotations

import re
from pathlib import Path

from vcam.daemon import supervisor
from vcam.system import variables

ROOT = Path(__file__).parents[2] / "vcam"
READ = re.compile(r"environ(?:\.get\(|\.pop\(|\[)\s*[\"'](\w+)[\"']|getenv\([\"'](\w+)[\"']")


def test_every_variable_that_is_read_is_in_the_table():
    read = {
        name
        for path in ROOT.rglob("*.py")
        for names in READ.findall(path.read_text("utf-8"))
        for name in names
        if name
    }
    assert len(read) > 10
    known = {*variables.FOLDERS, *variables.WORDS, *variables.OWN}
    assert read <= known, read - known


def test_a_daemon_lives_in_another_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VCAM_PROFILES", "faces")
    monkeypatch.setenv("VCAM_CACHE", "")
    _, environment = supervisor.command("rim")
    assert environment["VCAM_PROFILES"] == str(tmp_path / "faces")
    assert "VCAM_CACHE" not in variables.set_here()
