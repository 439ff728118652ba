"""Memory that a spawned child sees too, however the machine lets it be made."""

from __future__ import annotations

import errno
import multiprocessing
import os
from pathlib import Path

import pytest

from tests.conftest import write_wav
from tests.fakes import tone
from vcam.config import RunConfig
from vcam.errors import EngineError
from vcam.link import block
from vcam.link.block import Block
from vcam.live.run import Run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has memory of its own kind")


def refuse(*arguments: object) -> int:
    raise PermissionError(errno.EACCES, "Permission denied")


def answer(shared: Block) -> None:
    """The child: it doubles what it finds."""
    shared.bytes[1] = 2 * shared.bytes[0]


@pytest.fixture(params=["in memory", "in a file"])
def shared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Block:
    if request.param == "in a file":
        monkeypatch.setattr(block, "_in_memory", refuse)
    elif not hasattr(os, "memfd_create"):
        pytest.skip("this system has no files without a name")
    return Block.create(4096)


def test_a_spawned_child_sees_it(shared: Block) -> None:
    shared.bytes[0] = 21
    child = multiprocessing.get_context("spawn").Process(target=answer, args=(shared,))
    child.start()
    child.join(30)
    assert (child.exitcode, shared.bytes[1]) == (0, 42)


def test_it_begins_as_zeros_and_takes_no_descriptor_along(shared: Block) -> None:
    assert bytes(shared.bytes[:]) == bytes(4096)
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(50):
        Block.create(4096)
    assert len(list(Path("/dev/fd").iterdir())) <= before + 2


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox in which no memory can be shared at all."""
    monkeypatch.setattr(block, "_in_memory", refuse)
    monkeypatch.setattr(block.tempfile, "TemporaryFile", refuse)


@pytest.mark.usefixtures("forbidden")
def test_where_none_can_be_made_it_says_what_to_set() -> None:
    with pytest.raises(EngineError, match=r"\(Permission denied\); run: export TMPDIR"):
        Block.create(1)


@pytest.mark.usefixtures("forbidden")
def test_a_run_that_cannot_begin_leaves_nothing_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    speech = write_wav(tmp_path / "speech.wav", tone(0.1))
    config = RunConfig(wav=speech, camera=str(tmp_path / "film.mp4"), voice="none")
    for alone in (False, True):
        with pytest.raises(EngineError, match="no memory can be shared"):
            Run(config, None, alone)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "speech.wav"]


def full(file: int, begin: int, size: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(os, "posix_fallocate"):
        pytest.skip("this system cannot take room beforehand")
    monkeypatch.setattr(block, "_in_memory", refuse)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(EngineError, match="No space left"):
        Block.create(1)
