"""Pickles of FLAME's kind: chumpy and SciPy are not needed, and nothing in them is run."""

import os
import pickle
import sys
from types import ModuleType

import numpy as np
import pytest

from vcam.errors import WeightsError
from vcam.tensors.npy import read_npy
from vcam.tensors.obj import read_obj
from vcam.tensors.old_pickles import read_pickle


def foreign(module: str, name: str, monkeypatch: pytest.MonkeyPatch) -> type:
    """A class that pickles as `module.name`, as if that library were here."""
    parts = module.split(".")
    for depth in range(1, len(parts)):  # the packages around it
        monkeypatch.setitem(sys.modules, ".".join(parts[:depth]), ModuleType("package"))
    made = ModuleType(module)
    kind = type(name, (), {"__module__": module})
    setattr(made, name, kind)
    monkeypatch.setitem(sys.modules, module, made)
    return kind


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_arrays_wrappers_and_sparse_matrices_come_out_as_arrays(tmp_path, monkeypatch, protocol):
    wrapped = foreign("chumpy.ch", "Ch", monkeypatch)()
    wrapped.x, wrapped._dirty_vars = np.arange(6.0).reshape(2, 3), {"x"}
    sparse = foreign("scipy.sparse.csc", "csc_matrix", monkeypatch)()
    sparse.data, sparse.indices = np.array([1.0, 2.0, 3.0]), np.array([0, 1, 0], np.int32)
    sparse.indptr, sparse._shape = np.array([0, 2, 2, 3], np.int32), (2, 3)
    content = {"a": wrapped, "b": sparse, "c": np.asfortranarray(np.eye(3, 2)), "d": "remark",
               "e": np.array([1, 2**32 - 1], np.uint32), "f": np.array([1, 2], ">i4")}  # fmt: skip
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    read = read_pickle(path)
    assert set(read) == set("abcef")
    np.testing.assert_array_equal(read["a"], wrapped.x)
    np.testing.assert_array_equal(read["b"], [[1, 0, 3], [2, 0, 0]])
    np.testing.assert_array_equal(read["c"], content["c"])
    np.testing.assert_array_equal(read["e"], content["e"])
    np.testing.assert_array_equal(read["f"], content["f"])


class Command:
    def __init__(self, mark):
        self._mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self._mark,)


@pytest.mark.parametrize("content", [lambda trap: {"x": trap}, lambda trap: [trap]])
def test_code_is_refused_and_not_run(tmp_path, content):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(content(Command(tmp_path / "mark"))))
    with pytest.raises(WeightsError, match="nothing of it was run"):
        read_pickle(path)
    assert not (tmp_path / "mark").exists()


def test_arrays_of_objects_are_refused(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"x": np.array([None, {}], object)}))
    with pytest.raises(WeightsError):
        read_pickle(path)


def test_whatever_is_damaged_costs_a_sentence(tmp_path):
    path, rng = tmp_path / "file", np.random.default_rng(3)
    whole = pickle.dumps({"boundary": np.arange(20), "v": np.eye(3)}, protocol=2)
    mesh = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
    for read, content in ((read_pickle, whole), (read_obj, mesh), (read_npy, b"\x93NUMPY" + whole)):
        for _ in range(300):
            broken = bytearray(content)
            for _ in range(int(rng.integers(1, 5))):
                broken[int(rng.integers(0, len(broken)))] = int(rng.integers(0, 256))
            path.write_bytes(broken[: int(rng.integers(1, len(broken) + 1))])
            try:
                read(path)
            except WeightsError as error:
                assert "\n" not in str(error)  # noqa: PT017 - it may also be read


def test_a_missing_file_is_told(tmp_path):
    for read in (read_pickle, read_obj, read_npy):
        with pytest.raises(WeightsError, match="nowhere"):
            read(tmp_path / "nowhere")
