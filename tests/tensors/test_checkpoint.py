from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from vcam.errors import WeightsError  # noqa: E402
from vcam.tensors import checkpoint  # noqa: E402 - after the skip
from vcam.tensors.checkpoint import load_strict, read_state, read_tensor  # noqa: E402


class Bomb:
    """An object whose unpickling would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


@pytest.fixture
def state():
    return {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.0, -1.0])}


def saved(content, path: Path) -> Path:
    torch.save(content, path)
    return path


def assert_same_state(got, expected):
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, rtol=0, atol=0)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin"])
def test_reads_what_torch_saved(tmp_path, state, suffix):
    path = saved(state, tmp_path / f"net{suffix}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert_same_state(read_state(path, digest.upper()), state)


def test_reads_the_old_format_without_an_archive(tmp_path, state):
    path = tmp_path / "old.pt"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    assert_same_state(read_state(path), state)


def test_reads_safetensors(tmp_path, state):
    from safetensors.torch import save_file

    save_file(state, tmp_path / "net.safetensors")
    assert_same_state(read_state(tmp_path / "net.safetensors"), state)


def test_reads_a_tensor_that_is_a_slice_of_a_longer_one(tmp_path):
    whole = torch.arange(40.0).reshape(10, 4)
    path = saved(whole[3:5, ::2], tmp_path / "clip.pt")
    torch.testing.assert_close(read_tensor(path), whole[3:5, ::2], rtol=0, atol=0)


def test_nested_tensors_need_the_entry_named(tmp_path, state):
    path = saved({"model": {"net": state}, "step": 3}, tmp_path / "nested.pt")
    with pytest.raises(WeightsError, match="model is a dict"):
        read_state(path)
    assert_same_state(read_state(path, entry="model.net"), state)
    assert "net.a.bias" in read_state(path, entry="model")
    with pytest.raises(WeightsError, match="no entry 'ema'; it holds model, step"):
        read_state(path, entry="ema")


def test_code_in_a_pickle_is_refused_and_not_run(tmp_path):
    target = tmp_path / "ran"
    path = saved({"a": Bomb(target)}, tmp_path / "bomb.pt")
    with pytest.raises(WeightsError, match="nothing of it was run"):
        read_state(path)
    assert not target.exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_truncated_file_is_refused(tmp_path, state, share, suffix):
    from safetensors.torch import save_file

    path = tmp_path / f"net{suffix}"
    (torch.save if suffix == ".pt" else save_file)(state, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(WeightsError, match="damaged"):
        read_state(path)


def test_a_missing_file_or_wrong_hash_says_what_to_do(tmp_path, state):
    with pytest.raises(WeightsError, match="fetch it or correct the path"):
        read_state(tmp_path / "absent.pt")
    path = saved(state, tmp_path / "net.pt")
    with pytest.raises(WeightsError, match="fetch it again"):
        read_state(path, "0" * 64)


def test_an_old_torch_is_refused(tmp_path, state, monkeypatch):
    path = saved(state, tmp_path / "net.pt")
    monkeypatch.setattr(checkpoint.torch, "__version__", "2.5.1+cu121")
    with pytest.raises(WeightsError, match=r"install torch 2\.6"):
        read_state(path)


def test_every_key_that_does_not_fit_is_named(state):
    net = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 2), "b": torch.nn.Linear(1, 1)})
    with pytest.raises(WeightsError) as caught:
        load_strict(net, {"a.weight": torch.zeros(2, 2), "c": torch.zeros(1)}, "net.pt")
    for fault in ("a.weight is (2, 2), not (2, 3)", "missing a.bias", "missing b.weight",
                  "missing b.bias", "surplus c", "net.pt"):  # fmt: skip
        assert fault in str(caught.value)


def test_what_fits_is_copied(state):
    net = torch.nn.ModuleDict({"a": torch.nn.Linear(3, 2)})
    load_strict(net, state, "net.pt")
    assert_same_state(net.state_dict(), state)
