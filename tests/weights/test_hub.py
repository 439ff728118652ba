"""Downloads from a hub on loopback: resumed, refused, explained."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from tests.hub_server import COMMIT, HubServer, serving
from vcam.errors import WeightsError
from vcam.weights.hub import Hub, Source

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def source(**changes):
    facts = {
        "repository": "someone/model", "revision": "main", "file": "folder/net.pt",
        "size": len(CONTENT), "sha256": SHA256,
    }  # fmt: skip
    return Source(**{**facts, **changes})


@pytest.fixture
def server():
    with serving() as hub:
        hub.files["someone/model/folder/net.pt"] = CONTENT
        yield hub


@pytest.fixture
def hub(server: HubServer, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the library waits between attempts
    # Pieces of 10 MB are written whole or not at all; ours are as small as the test's file.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)
    return Hub(endpoint=server.endpoint, cache=tmp_path / "cache")


def fetch(hub: Hub, wanted: Source | None = None, room: int = 0):
    said = []
    found = hub.fetch(wanted or source(), room, lambda doing, at: said.append((doing, at)))
    return found, said


def kept(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*.vcam") if path.is_file()]


def test_a_file_is_downloaded_checked_and_found_by_others(hub, server, tmp_path):
    import huggingface_hub

    found, said = fetch(hub)
    assert found.path.read_bytes() == CONTENT
    assert (found.sha256, found.revision) == (SHA256, COMMIT)
    assert next(doing for doing, _ in said) == "download"
    assert said[-1] == ("check", len(CONTENT))
    assert len(server.gets) == 1
    assert "leaked to the other server" not in server.tokens
    again = huggingface_hub.hf_hub_download(
        "someone/model", "folder/net.pt", cache_dir=hub.cache, endpoint=hub.endpoint
    )
    assert Path(again) == found.path
    assert not kept(tmp_path)


def test_what_is_cached_is_not_downloaded_again(hub, server):
    first, _ = fetch(hub)
    requests = server.heads
    second, said = fetch(hub)
    assert second == first
    assert {doing for doing, _ in said} == {"check"}
    assert (len(server.gets), server.heads) == (1, requests)


def test_a_broken_connection_is_resumed_at_once(hub, server):
    server.cut_after = [100_000]
    found, said = fetch(hub)
    assert found.path.read_bytes() == CONTENT
    assert [asked for _, asked in server.gets] == [None, "bytes=100000-"]
    downloaded = [at for doing, at in said if doing == "download"]
    assert downloaded == sorted(downloaded)


def test_a_dead_connection_is_resumed_by_the_next_pull(hub, server, tmp_path):
    server.cut_after = [50_000] + [0] * 20
    with pytest.raises(WeightsError, match="what came is kept, try again"):
        fetch(hub)
    (part,) = kept(tmp_path)
    assert part.read_bytes() == CONTENT[:50_000]
    server.cut_after.clear()
    server.gets.clear()
    assert fetch(hub)[0].path.read_bytes() == CONTENT
    assert [asked for _, asked in server.gets] == ["bytes=50000-"]


def test_an_interrupted_pull_keeps_what_came(hub, server, tmp_path):
    def interrupt(doing, at):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hub.fetch(source(), 0, interrupt)
    (part,) = kept(tmp_path)
    assert 0 < part.stat().st_size <= len(CONTENT)
    assert CONTENT.startswith(part.read_bytes())
    assert fetch(hub)[0].path.read_bytes() == CONTENT


def test_a_server_that_knows_no_ranges_is_read_from_the_start(hub, server, tmp_path):
    server.cut_after = [50_000] + [0] * 20
    with pytest.raises(WeightsError):
        fetch(hub)
    server.cut_after.clear()
    server.ignore_ranges = True
    assert fetch(hub)[0].path.read_bytes() == CONTENT


def test_wrong_content_is_refused_and_removed(hub, server, tmp_path):
    server.spoil = True
    with pytest.raises(WeightsError, match=f"not {SHA256}.*removed"):
        fetch(hub)
    assert not kept(tmp_path)
    assert not list((tmp_path / "cache").rglob("net.pt"))
    server.spoil = False
    assert fetch(hub)[0].sha256 == SHA256


def test_a_damaged_partial_file_does_not_survive(hub, server, tmp_path):
    server.cut_after = [50_000] + [0] * 20
    with pytest.raises(WeightsError):
        fetch(hub)
    (part,) = kept(tmp_path)
    part.write_bytes(b"x" * 50_000)
    server.cut_after.clear()
    with pytest.raises(WeightsError, match="removed; try again"):
        fetch(hub)
    assert fetch(hub)[0].path.read_bytes() == CONTENT


def test_another_file_than_the_manifest_knows_is_not_even_downloaded(hub, server):
    server.files["someone/model/folder/net.pt"] = CONTENT[::-1]
    with pytest.raises(WeightsError, match="is another file now"):
        fetch(hub)
    with pytest.raises(WeightsError, match="is another file now"):
        fetch(hub, source(size=3, sha256=None))
    assert not server.gets


def test_an_unknown_hash_is_computed(hub):
    assert fetch(hub, source(sha256=None))[0].sha256 == SHA256


def test_a_cached_file_that_rotted_is_replaced(hub, server):
    found, _ = fetch(hub)
    found.path.resolve().write_bytes(b"rotten")
    assert fetch(hub)[0].path.read_bytes() == CONTENT
    assert len(server.gets) == 2


def test_a_full_disk_is_told_before_the_download(hub, server):
    small = replace(hub, free=lambda folder: 1_000_000)
    with pytest.raises(WeightsError, match=r"needs 0\.3 GB.*0\.0 GB are free"):
        fetch(small)
    assert not server.gets
    enough = len(CONTENT) + (256 << 20)
    exact = replace(hub, free=lambda folder: enough)
    with pytest.raises(WeightsError, match="make room"):
        fetch(exact, room=1)
    assert fetch(exact)[0].sha256 == SHA256


def test_a_disk_that_fills_up_keeps_what_came(hub, server, tmp_path, monkeypatch):
    import errno

    from vcam.weights.hub import _Counted

    write = _Counted.write

    def full(self, block):
        write(self, block[:1000])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_Counted, "write", full)
    with pytest.raises(WeightsError, match="the disk is full"):
        fetch(hub)
    (part,) = kept(tmp_path)
    assert part.stat().st_size == 1000
    monkeypatch.undo()
    assert fetch(hub)[0].path.read_bytes() == CONTENT
    assert server.gets[-1][1] == "bytes=1000-"


def test_a_missing_file_or_a_gated_repository_says_so(hub, server):
    with pytest.raises(WeightsError, match="is not there at main"):
        fetch(hub, source(file="gone.pt"))
    server.gated = True
    with pytest.raises(WeightsError, match="accept its terms"):
        fetch(hub)


def test_no_network_says_so(hub):
    with pytest.raises(WeightsError, match="could not be downloaded"):
        fetch(replace(hub, endpoint="http://127.0.0.1:9"))


def test_offline_takes_the_cache_and_nothing_else(hub, server, monkeypatch):
    with pytest.raises(WeightsError, match="this is offline"):
        fetch(replace(hub, offline=True))
    assert (server.heads, server.gets) == (0, [])
    fetch(hub)
    requests = server.heads
    assert fetch(replace(hub, offline=True))[0].path.read_bytes() == CONTENT
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert fetch(hub)[0].path.read_bytes() == CONTENT
    assert server.heads == requests


def test_without_the_library_it_says_what_to_install(hub, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(WeightsError, match=r"pip install .*\[neural\]"):
        fetch(hub)
