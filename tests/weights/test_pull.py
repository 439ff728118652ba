"""From a hub on loopback into the models' folder, by hand and by command line."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from tests.hub_server import COMMIT, serving
from vcam.cli import main
from vcam.cli import models as models_cli
from vcam.errors import WeightsError
from vcam.weights import manifest
from vcam.weights.convert import Recipe
from vcam.weights.hub import Hub
from vcam.weights.ledger import Ledger
from vcam.weights.manifest import Asset, Model
from vcam.weights.pull import add, pull

CONTENT = b"settings" * 1000


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def asset(name: str = "net.json", content: bytes = CONTENT, known: bool = True, **facts) -> Asset:
    sha256 = digest(content) if known else None
    return Asset(name, len(content), f"net/{name}", sha256, **facts)


def model(*files: Asset, **facts) -> Model:
    basis = {"name": "net", "title": "Net", "licence": "MIT", "home": "", "repository": "a/b"}
    return Model(**{**basis, "files": files, **facts})


@pytest.fixture
def server():
    with serving() as hub:
        hub.files["a/b/net.json"] = CONTENT
        yield hub


@pytest.fixture
def hub(server, tmp_path: Path):
    return Hub(endpoint=server.endpoint, cache=tmp_path / "cache")


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("VCAM_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def pulled(models, root, hub):
    return list(pull(models, root, hub, lambda progress: None))


def test_a_plain_file_is_copied_noted_and_not_pulled_twice(server, hub, root):
    net = model(asset())
    (outcome,) = pulled([net], root, hub)
    assert outcome.path.read_bytes() == CONTENT
    assert (outcome.locks, outcome.known) == ("", True)
    record = Ledger(root).get("net/net.json")
    assert record
    assert (record.sha256, record.revision) == (digest(CONTENT), COMMIT)
    assert pulled([net], root, hub) == []
    assert len(server.gets) == 1


def test_what_was_damaged_is_pulled_again_from_the_cache(server, hub, root):
    net = model(asset())
    (outcome,) = pulled([net], root, hub)
    outcome.path.write_bytes(b"x")
    assert [one.path.read_bytes() for one in pulled([net], root, Hub(None, hub.cache, True))] == [
        CONTENT
    ]
    assert len(server.gets) == 1


def test_an_unknown_hash_is_recorded_and_checked_ever_after(server, hub, root, tmp_path):
    net = model(asset(known=False))
    pulled([net], root, hub)
    (root / "net/net.json").unlink()
    changed = CONTENT[::-1]
    server.files["a/b/net.json"] = changed
    with pytest.raises(WeightsError, match="is another file now"):
        pulled([net], root, Hub(hub.endpoint, tmp_path / "other cache"))


def test_manual_models_are_left_alone_and_added_by_hand(hub, server, root, tmp_path):
    flame = model(asset(), manual="the steps", repository="")
    assert pulled([flame], root, hub) == []
    assert server.heads == 0
    mine = tmp_path / "mine.json"
    mine.write_bytes(CONTENT)
    assert add(flame, mine, root, lambda progress: None).known
    assert manifest.survey([flame], root)[0].state == "ready"
    mine.write_bytes(b"another edition")
    assert not add(flame, mine, root, lambda progress: None).known
    with pytest.raises(WeightsError, match="no file at"):
        add(flame, tmp_path / "absent", root, lambda progress: None)


def test_only_the_very_file_may_be_added_to_other_models(root, tmp_path):
    mine = tmp_path / "net.json"
    mine.write_bytes(b"not it")
    with pytest.raises(WeightsError, match=r"is none of the files of net: net\.json"):
        add(model(asset()), mine, root, lambda progress: None)
    mine.write_bytes(CONTENT)
    assert add(model(asset()), mine, root, lambda progress: None).path.read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_told(hub, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match="cannot write"):
        pulled([model(asset())], tmp_path / "file", hub)


def saved_net() -> bytes:
    torch = pytest.importorskip("torch")
    file = io.BytesIO()
    torch.save({"w": torch.ones(4, 4), "train.w": torch.ones(9)}, file)
    return file.getvalue()


def test_a_checkpoint_is_pulled_converted_and_usable(server, hub, root):
    content = saved_net()
    server.files["a/b/net.pt"] = content
    recipe = Recipe(drop=("train.*",), half=("*",))
    one = Asset("net.pt", len(content), "net/net.safetensors", digest(content), recipe)
    steps = []
    (outcome,) = pull([model(one)], root, hub, lambda now: steps.append(now.doing))
    assert list(dict.fromkeys(steps)) == ["download", "check", "convert"]
    if sys.platform == "linux":
        assert "limits" in outcome.locks
    from vcam.tensors.checkpoint import read_state

    state = read_state(manifest.find("net", {"net": model(one)}))
    assert {name: str(value.dtype) for name, value in state.items()} == {"w": "torch.float16"}
    assert [path.name for path in (root / "net").iterdir()] == ["net.safetensors"]


MANIFEST = """
net:
  title: "Net [of tests]"
  licence: MIT
  home: https://example.org
  repository: a/b
  needs: [mesh]
  files:
    - {{file: net.json, size: {size}, sha256: {sha256}, to: net/net.json}}
mesh:
  title: "Mesh"
  licence: own
  home: https://example.org
  manual: |
    Register, download, and then
      vcam models add mesh FILE
  files:
    - {{file: mesh.json, size: {size}, sha256: {sha256}, to: mesh/mesh.json}}
"""


@pytest.fixture
def own_manifest(tmp_path: Path, monkeypatch) -> Path:
    path = tmp_path / "weights.yaml"
    path.write_text(MANIFEST.format(size=len(CONTENT), sha256=digest(CONTENT)))
    monkeypatch.setattr(manifest, "manifest", lambda: manifest.read_manifest(path))
    monkeypatch.setattr(models_cli.out, "_width", 200)
    return path


def test_the_commands_tell_pull_add_verify_and_find(
    own_manifest, server, root, tmp_path, monkeypatch, capsys
):
    import vcam.weights.hub

    def command(*words: str) -> tuple[int, str, str]:
        code = main.main(["models", *words])
        return code, *capsys.readouterr()

    monkeypatch.setattr(
        vcam.weights.hub, "Hub", lambda offline: Hub(server.endpoint, tmp_path / "cache", offline)
    )
    code, said, _ = command("list")
    assert code == 0
    assert "Net [of tests]" in said
    assert "missing" in said
    code, _, error = command("pull", "--offline", "net")
    assert code == 1
    assert "this is offline" in error
    code, said, _ = command("pull")
    assert code == 0
    assert str(root / "net/net.json") in said
    assert "vcam models add mesh FILE" in said
    code, _, error = command("path", "net")
    assert code == 1
    assert "vcam models add mesh FILE" in error
    (tmp_path / "got.json").write_bytes(CONTENT)
    assert command("add", "mesh", str(tmp_path / "got.json"))[0] == 0
    assert command("path", "net")[1].strip() == str(root / "net/net.json")
    assert command("path")[1].strip() == str(root)
    code, said, _ = command("verify")
    assert code == 0
    assert said.count("ready") == 2
    assert "everything is in" in command("pull")[1]
    (root / "net/net.json").write_bytes(CONTENT[::-1])
    code, said, error = command("verify", "net")
    assert code == 1
    assert "damaged" in said
    assert "vcam models pull net" in error
    code, _, error = command("pull", "nett")
    assert code == 1
    assert "did you mean net?" in error


def test_the_environment_of_the_hub_is_honoured(own_manifest, server, root, tmp_path):
    """HF_ENDPOINT and HF_HOME lead to another hub and cache; HF_HUB_OFFLINE forbids the way."""
    code = (
        "import sys; from pathlib import Path; "
        "from vcam.cli import main; from vcam.weights import manifest; "
        f"manifest.manifest = lambda: manifest.read_manifest(Path({str(own_manifest)!r})); "
        "sys.exit(main.main(['models', 'pull', 'net']))"
    )
    own = {"HF_ENDPOINT": server.endpoint, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_x"}

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | own | more, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    refused = run(HF_HUB_OFFLINE="1")
    assert refused.returncode == 1
    assert "this is offline" in refused.stderr
    done = run()
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "home/hub/models--a--b/blobs").iterdir())
    assert server.tokens == {"Bearer hf_x"}
    (root / "net/net.json").unlink()
    assert run(HF_HUB_OFFLINE="1").returncode == 0
