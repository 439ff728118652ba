"""The log: what a line looks like, how files take turns, and what a full disk does."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import psutil
import pytest

from tests.platforms import has_mode, not_on_windows
from vcam.monitor import logs
from vcam.monitor.logs import LogFile, following, log, newest


@pytest.fixture
def file(tmp_path):
    return tmp_path / "vcam.log"


@pytest.fixture
def written(file):
    """A log of files of at most 400 bytes."""
    handler = LogFile(file, largest=400)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.removeHandler(handler)
    handler.close()


def test_a_line_says_when_in_utc_and_cannot_be_forged(written, file):
    log.info("camera: %s", "a\x1b[31m\rname")
    log.error("it failed\nbecause of this")
    first, second, third = file.read_text().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z camera: a\?\[31m\?name", first)
    assert second.endswith("Z it failed")
    assert third == "    because of this"
    assert has_mode(file, 0o600)


def test_files_take_turns_and_none_grows(written, file):
    for number in range(100):
        log.info("event %d", number)
    files = sorted(file.parent.iterdir())
    assert [each.name for each in files] == [file.name, *(f"{file.name}.{n}" for n in (1, 2, 3))]
    assert all(each.stat().st_size <= 400 for each in files)
    told = [line.split("event ")[1] for line in newest(20, file)]
    assert told == [str(number) for number in range(80, 100)]
    assert newest(0, file) == []


def test_who_follows_sees_every_line_once_through_rotations(written, file):
    log.info("before")
    lines = following(file, sleep=lambda seconds: None)
    assert next(lines) == ""
    told = []
    for number in range(50):
        log.info("event %d", number)
        while line := next(lines):
            told.append(line.split("event ")[1])
    assert told == [str(number) for number in range(50)]


def test_who_follows_waits_for_the_first_file_and_for_whole_lines(file):
    lines = following(file, sleep=lambda seconds: None)
    assert next(lines) == ""
    with file.open("w", newline="\n") as half:
        half.write("half a ")
        half.flush()
        assert next(lines) == ""
        half.write("line\nand")
        half.flush()
    assert next(lines) == "half a line"
    assert next(lines) == ""


def test_who_follows_holds_no_file_and_misses_none_when_several_were_put_aside(written, file):
    log.info("before")
    lines = following(file, sleep=lambda seconds: None)
    assert next(lines) == ""
    held = [Path(entry.path) for entry in psutil.Process().open_files()]
    assert [path for path in held if path.parent == file.parent] == [file]  # the log's own
    for number in range(30):  # 400 bytes are a dozen lines
        log.info("event %d", number)
    assert file.with_name(f"{file.name}.2").exists()
    told = [next(lines).split("event ")[1] for _ in range(30)]
    assert told == [str(number) for number in range(30)]
    assert next(lines) == ""


@not_on_windows("a log that is written cannot be replaced")
def test_who_follows_a_log_that_was_thrown_away_sees_the_new_one_alone(written, file):
    for number in range(15):
        log.info("old %d", number)
    lines = following(file, sleep=lambda seconds: None)
    assert next(lines) == ""
    other = file.with_name("other")
    other.write_text("2026-11-29T00:00:00.000Z new\n")
    other.replace(file)
    assert next(lines).endswith("Z new")
    assert next(lines) == ""


class Held:
    """As on Windows: a file that somebody has open cannot be renamed, nor replaced."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: set[str] = set()
        self._replace = Path.replace
        monkeypatch.setattr("sys.platform", "win32")
        monkeypatch.setattr(Path, "replace", lambda path, to: self._moved(path, to))

    def _moved(self, path: Path, to: Path) -> Path:
        if self.names & {path.name, to.name}:
            raise PermissionError(13, "another program has it open", str(path))
        return self._replace(path, to)


def test_a_file_that_cannot_be_put_aside_is_gone_on_with(written, file, monkeypatch):
    held = Held(monkeypatch)
    for number in range(20):
        log.info("event %d", number)
    held.names = {file.name}
    for number in range(20, 35):
        log.info("event %d", number)
    assert 400 < file.stat().st_size <= 400 * (logs.MOST + 1)
    held.names = set()
    for number in range(35, 40):
        log.info("event %d", number)
    assert written.lost == 0
    assert file.stat().st_size <= 400
    told = [line.split("event ")[1] for line in newest(40, file)]
    assert told == [str(number) for number in range(40)]


def test_a_file_that_is_never_let_go_grows_to_its_bound_and_that_is_told(
    written, file, monkeypatch
):
    held = Held(monkeypatch)
    held.names = {file.name}
    for number in range(80):
        log.info("event %d", number)
    assert file.stat().st_size <= 400 * (logs.MOST + 1)
    assert written.lost > 0
    assert written.trouble


@not_on_windows("it has no /dev/full")
def test_a_full_disk_hurts_nobody(written, file, capfd):
    """/dev/full takes nothing; afterwards there is room again."""
    file.symlink_to("/dev/full")
    log.info("lost")
    log.info("lost")
    file.unlink()
    log.info("kept")
    assert written.lost == 2
    assert [line.split("Z ")[1] for line in newest(9, file)] == ["kept"]
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_vanishes_hurts_nobody(tmp_path, capfd):
    folder = tmp_path / "state"
    folder.mkdir()
    handler = LogFile(folder / "vcam.log")
    folder.rmdir()
    handler.handle(logging.makeLogRecord({"msg": "lost"}))
    assert handler.lost == 1
    handler.close()
    assert capfd.readouterr() == ("", "")


def test_without_an_opened_log_nothing_is_said(capfd, monkeypatch, tmp_path):
    log.warning("nobody listens")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with logs.opened():
        log.info("somebody does")
    log.info("nobody again")
    assert [line.split("Z ")[1] for line in newest(9)] == ["somebody does"]
    assert has_mode((tmp_path / "vcam"), 0o700)
    assert os.listdir(tmp_path / "vcam") == ["vcam.log"]  # noqa: PTH208 - names are meant
    assert capfd.readouterr() == ("", "")
