# ruff: noqa: E402 - imports follow the skip
"""Foreign files of numbers: numbers come out, nothing runs."""

import io
import pickle
import zipfile

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from vcam.errors import WeightsError
from vcam.tensors.arrays import read_numbers


class Trap:
    """Runs a command when unpickled without care."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


def test_arrays_and_tensors_come_out_as_tensors(tmp_path):
    path = tmp_path / "some.pt"
    content = {
        "a": np.arange(6, dtype=np.float64).reshape(2, 3),
        "b": {"c": torch.ones(2, dtype=torch.float16), "d": np.array([1, 2], np.int32)},
        "name": "a remark",
    }
    torch.save(content, path)
    read = read_numbers(path)
    assert torch.equal(read["a"], torch.arange(6.0).view(2, 3))
    assert read["b"]["c"].dtype == torch.float32
    assert read["b"]["d"].tolist() == [1, 2]
    assert "name" not in read


def test_files_written_under_numpy_1_are_read(tmp_path):
    """NumPy 2 moved the function that rebuilds arrays; published files carry the old name."""
    path = tmp_path / "old.pt"
    torch.save({"a": np.ones(3, np.float32)}, path)
    content = {}
    with zipfile.ZipFile(path) as source:
        for name in source.namelist():
            content[name] = source.read(name)
    with zipfile.ZipFile(path, "w") as target:
        for name, data in content.items():
            target.writestr(name, data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert b"numpy.core.multiarray" in path.read_bytes()
    assert read_numbers(path)["a"].tolist() == [1, 1, 1]


def test_foreign_objects_are_refused_and_never_made(tmp_path):
    path, mark = tmp_path / "bad.pt", tmp_path / "mark"
    torch.save({"a": torch.ones(2), "trap": Trap(mark)}, path)
    with pytest.raises(WeightsError, match="nothing of it was run"):
        read_numbers(path)
    assert not mark.exists()


def test_objects_inside_an_array_are_refused(tmp_path):
    path, mark = tmp_path / "bad.pt", tmp_path / "mark"
    torch.save({"a": np.array([Trap(mark)], dtype=object)}, path)
    with pytest.raises(WeightsError):
        read_numbers(path)
    assert not mark.exists()


def test_an_array_of_text_is_refused(tmp_path):
    path = tmp_path / "text.pt"
    torch.save({"a": np.array(["x", "y"])}, path)
    with pytest.raises(WeightsError):
        read_numbers(path)


@pytest.mark.parametrize("content", [b"", b"not a file of torch", pickle.dumps([1, 2], 2)])
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "bad.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        read_numbers(path)


def test_a_truncated_file_is_refused(tmp_path):
    buffer = io.BytesIO()
    torch.save({"a": torch.randn(1000)}, buffer)
    path = tmp_path / "cut.pt"
    path.write_bytes(buffer.getvalue()[:1500])
    with pytest.raises(WeightsError):
        read_numbers(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match="nothing at"):
        read_numbers(tmp_path / "none.pt")
