"""The manifest, the folder of models, and what is said about files that are not in order."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

import pytest

from vcam.errors import ConfigError, WeightsError
from vcam.weights import manifest
from vcam.weights.ledger import Ledger, Record, digest
from vcam.weights.manifest import Asset, Model

ISSUED = {"artalk", "gagavatar", "musetalk", "sd-vae-ft-mse", "taesd", "whisper-tiny", "flame"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("VCAM_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def model(name: str = "one", **facts) -> Model:
    files = (Asset("a.bin", 3, f"{name}/a.bin"), Asset("b.bin", 3, f"{name}/b.bin"))
    return Model(
        **{"name": name, "title": name, "licence": "", "home": "", "files": files, **facts}
    )


def put(root: Path, asset: Asset, content: bytes = b"abc", source: str = "") -> None:
    path = root / asset.to
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    Ledger(root).record(asset.to, Record(len(content), sha256, source or sha256, "", ""))


def test_the_manifest_is_complete_and_pins_every_file():
    models = manifest.manifest()
    assert models.keys() >= ISSUED
    places = [asset.to for model in models.values() for asset in model.files]
    assert len(places) == len(set(places))
    for model_ in models.values():
        assert set(model_.needs) <= models.keys()
        assert model_.licence
        assert model_.home.startswith("https://")
        assert bool(model_.repository) != bool(model_.manual)
        for asset in model_.files:
            assert asset.size > 0
            assert re.fullmatch("[0-9a-f]{64}", asset.sha256 or "")
            place = PurePosixPath(asset.to)
            assert not place.is_absolute()
            assert ".." not in place.parts
            assert asset.convert or place.suffix == ".json"  # no pickle is ever kept
            assert not asset.convert or place.suffix == ".safetensors"


def test_flame_is_for_the_user_to_get():
    flame = manifest.manifest()["flame"]
    assert "vcam models add flame" in flame.manual
    assert "licence" in flame.manual


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("repositry: x/y", "one: unknown setting repositry; did you mean repository"),
        ("optional: perhaps", "optional must be true or false"),
    ],
)
def test_a_manifest_out_of_order_is_refused_by_name(tmp_path, line, words):
    text = f"one:\n  title: t\n  licence: l\n  home: h\n  files: []\n  {line}\n"
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        manifest.read_manifest(tmp_path / "m.yaml")


def test_choosing_models_follows_their_needs():
    models = manifest.manifest()
    names = [model.name for model in manifest.chosen(["musetalk"], models)]
    assert names == ["musetalk", "sd-vae-ft-mse", "whisper-tiny"]
    everything = {model.name for model in manifest.chosen([], models)}
    assert everything == ISSUED  # the optional ones only by name
    with pytest.raises(WeightsError, match="no model called artlak; did you mean artalk"):
        manifest.chosen(["artlak"], models)


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("VCAM_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert manifest.folder() == tmp_path / "vcam" / "models"
    monkeypatch.setenv("VCAM_MODELS", str(tmp_path / "own"))
    assert manifest.folder() == tmp_path / "own"


def test_finding_a_model_gives_its_first_file_or_says_what_to_type(root):
    models = {"one": model(needs=("two",)), "two": model("two", manual="steps")}
    with pytest.raises(WeightsError, match=r"one is missing .*: vcam models pull one"):
        manifest.find("one", models)
    for asset in models["one"].files:
        put(root, asset)
    with pytest.raises(WeightsError, match=r"two is missing .*: vcam models add two FILE"):
        manifest.find("one", models)
    for asset in models["two"].files:
        put(root, asset)
    assert manifest.find("one", models) == root / "one/a.bin"


def test_a_look_notices_what_is_gone_cut_or_outdated(root):
    one = model()
    first, second = one.files
    put(root, first)
    put(root, second)
    assert [finding.state for finding in manifest.survey([one], root)] == ["ready", "ready"]
    (root / first.to).write_bytes(b"ab")
    (root / second.to).unlink()
    assert [finding.state for finding in manifest.survey([one], root)] == ["damaged", "missing"]
    newer = Asset("a.bin", 3, first.to, sha256="0" * 64)
    put(root, newer, source="1" * 64)
    assert [f.state for f in manifest.survey([model(files=(newer,))], root)] == ["outdated"]
    taken = model(files=(newer,), manual="steps")  # another edition, which the user chose
    assert [f.state for f in manifest.survey([taken], root)] == ["ready"]


def test_verifying_notices_a_changed_byte(root):
    one = model()
    for asset in one.files:
        put(root, asset)
    heard = []
    found = manifest.verify([one], root, lambda asset, at: heard.append((asset.to, at)))
    assert [finding.state for finding in found] == ["ready", "ready"]
    assert heard == [("one/a.bin", 3), ("one/b.bin", 3)]
    (root / one.files[1].to).write_bytes(b"abd")
    assert [finding.state for finding in manifest.verify([one], root)] == ["ready", "damaged"]


def test_the_ledger_outlives_the_process_and_a_damaged_one_is_told(root):
    put(root, model().files[0])
    assert Ledger(root).get("one/a.bin") == Record(3, *[digest(root / "one/a.bin")] * 2, "", "")
    for text in ("{", "[]", '{"x": {"size": "3"}}', '{"x": 1}', '{"x": {"evil": 1}}'):
        (root / "ledger.json").write_text(text)
        with pytest.raises(WeightsError, match=r"is damaged .*delete it"):
            Ledger(root)
