"""Files of avatars that were made to harm: one sentence each, and nothing in them is run."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from vcam.enroll.own_avatar import flashavatar, gaussiantalker, splattingavatar  # noqa: E402
from vcam.enroll.own_avatar.found import look  # noqa: E402
from vcam.enroll.own_avatar.frames import read_clip  # noqa: E402
from vcam.errors import VcamError  # noqa: E402
from vcam.tensors.npy import read_npy  # noqa: E402
from vcam.tensors.obj import read_obj  # noqa: E402
from vcam.tensors.old_pickles import read_pickle  # noqa: E402
from vcam.tensors.ply import read_vertices  # noqa: E402

LONGEST = 600  # characters of a sentence
Read = Callable[[Path], object]


def refused(read: Read, path: Path) -> str:
    """The one sentence that `read` has to say of a file."""
    with pytest.raises(VcamError) as error:
        read(path)
    said = str(error.value)
    assert "\n" not in said
    assert 10 < len(said) < LONGEST
    return said


def ply(*lines: str, body: bytes = b"\0" * 64, begin: str = "ply") -> bytes:
    whole = [begin, "format binary_little_endian 1.0", *lines, "end_header\n"]
    return "\n".join(whole).encode("utf-8", "surrogateescape") + body


FLOATS = ("property float x", "property float y")
PLY = {
    "more points than there are": ply("element vertex 5000000", *FLOATS),
    "more points than anybody has": ply("element vertex 999999999", *FLOATS),
    "a count beyond all numbers": ply("element vertex " + "9" * 5000, *FLOATS),
    "a count below zero": ply("element vertex -1", *FLOATS),
    "a count that is an expression": ply("element vertex __import__('os').abort()", *FLOATS),
    "no points": ply("element vertex 0", *FLOATS),
    "digits of another script": ply("element vertex \u0663\u0664", *FLOATS),
    "a list": ply("element vertex 2", "property list uchar float x"),
    "doubles": ply("element vertex 2", "property double x"),
    "a column twice": ply("element vertex 2", "property float x", "property float x"),
    "columns without end": ply(
        "element vertex 1", *(f"property float c{index}" for index in range(300)), body=b"\0" * 2000
    ),
    "no columns": ply("element vertex 2"),
    "faces first": ply("element face 2", *FLOATS, "element vertex 2", *FLOATS),
    "text": b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1.0\n",
    "the other byte order": ply().replace(b"little", b"big"),
    "no end": b"ply\nformat binary_little_endian 1.0\n" + b"comment so it goes on\n" * 9000,
    "not finite": ply("element vertex 2", *FLOATS, body=np.full(4, np.nan, "<f4").tobytes()),
    "of another name": ply("element vertex 1", *FLOATS, begin="plyx"),
    "nothing": b"",
}


@pytest.mark.parametrize("kind", PLY)
def test_headers_of_ply_files(tmp_path, kind):
    (tmp_path / "point_cloud.ply").write_bytes(PLY[kind])
    refused(read_vertices, tmp_path / "point_cloud.ply")


@pytest.mark.parametrize("name", ["f_dc_0", "opacity", "rot_3", "scale_1"])
def test_a_talkers_points_without_a_column(tmp_path, name):
    from tests.enroll.talker_files import PROPERTIES, ply

    names = tuple("other" if each == name else each for each in PROPERTIES)
    (tmp_path / "p.ply").write_bytes(ply(np.zeros((3, len(names)), np.float32), names))
    assert name in refused(gaussiantalker.resting, tmp_path / "p.ply")


JSON = {
    "deeper than a stack": b"[" * 200_000,
    "objects deeper than a stack": b'{"a":' * 100_000,
    "a number beyond all numbers": b'{"frames": 1' + b"0" * 100_000 + b"}",
    "NaN": b'{"sample_fidxs": [NaN], "sample_bary": [[NaN,0,0]], "_xyz": [[0,0,Infinity]]}',
    "a list": b"[1, 2, 3]",
    "a word": b'"frames"',
    "nothing": b"",
    "half of it": b'{"frames": [{"pose": [0, 0',
    "text for numbers": b'{"sample_fidxs": ["a", "b"], "frames": "many"}',
    "not in any alphabet": b"\xff\xfe\x00\x00{}",
    "rows of different lengths": b'{"sample_fidxs": [[1], [1, 2]], "frames": [1, 2]}',
    "numbers that no array holds": b'{"sample_fidxs": [1e400], "frames": [{"pose": [1e400]}]}',
}


@pytest.mark.parametrize("kind", JSON)
def test_json_of_a_splattingavatar(tmp_path, kind):
    (tmp_path / "embedding.json").write_bytes(JSON[kind])
    (tmp_path / "point_cloud.ply").write_bytes(ply("element vertex 1", *FLOATS))
    refused(splattingavatar.points, tmp_path / "embedding.json")


@pytest.mark.parametrize("kind", JSON)
def test_json_of_a_talker(tmp_path, kind):
    (tmp_path / "transforms_train.json").write_bytes(JSON[kind])
    refused(lambda path: gaussiantalker._transforms(look([path])), tmp_path)


@pytest.mark.parametrize("name", ["../../secret.obj", "/etc/passwd", "C:\\mesh.obj", "a\0b", ""])
def test_a_mesh_is_only_looked_for_beside_its_embedding(tmp_path, name):
    table = {"cano_mesh": name, "sample_fidxs": [0], "sample_bary": [[1, 0, 0]], "_xyz": [[0] * 3]}
    (tmp_path / "embedding.json").write_text(json.dumps(table))
    (tmp_path / "point_cloud.ply").write_bytes(ply("element vertex 1", *FLOATS))
    said = refused(splattingavatar.points, tmp_path / "embedding.json")
    assert "root:" not in said


class Runs:
    """Calls what it is told to when it is unpickled."""

    def __init__(self, call: Callable[..., object], *given: object) -> None:
        self._call, self._given = call, given

    def __reduce__(self):
        return self._call, self._given


def traps(mark: Path) -> dict[str, bytes]:
    """Pickles with code in all the places where one may be."""
    trap = Runs(Path.touch, mark)
    by_name = b"cos\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR."
    return {
        "itself": pickle.dumps(trap),
        "a value": pickle.dumps({"f": trap}),
        "a key": pickle.dumps({trap: 1}),
        "deep inside": pickle.dumps({"f": [({"g": (trap,)},)]}),
        "beside an array": pickle.dumps({"f": np.zeros(3), "g": trap}),
        "in an array of objects": pickle.dumps({"f": np.array([trap, 1], object)}),
        "by name": by_name,
        "a builtin": b"c__builtin__\neval\n(S'open(\"" + str(mark).encode() + b'","w")\'\ntR.',
        "an attribute of NumPy": b"cnumpy\nload\n(S'" + str(mark).encode() + b"'\ntR.",
        "a dotted way out": b"\x80\x04\x8c\x05numpy\x8c\x0cf2py.os.abort\x93)R.",
        "an extension": b"\x80\x02\x82\x01.",
        "a persistent name": b"\x80\x02X\x01\x00\x00\x00aQ.",
        "no end": b"\x80\x04" + b"(" * 10_000,
        "a stack that is empty": b"\x80\x040000R.",
    }


KINDS = tuple(traps(Path("mark")))


@pytest.mark.parametrize("kind", KINDS)
def test_code_in_flames_pickles(tmp_path, kind):
    (tmp_path / "FLAME_masks.pkl").write_bytes(traps(tmp_path / "mark")[kind])
    with suppress(VcamError):
        read = read_pickle(tmp_path / "FLAME_masks.pkl")
        assert all(isinstance(each, np.ndarray) and each.dtype != object for each in read.values())
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_code_in_checkpoints_and_frames(tmp_path, kind):
    content = traps(tmp_path / "mark")[kind]
    for name, read in (
        ("chkpnt1.pth", flashavatar.read_checkpoint),
        ("00000.frame", lambda path: read_clip([path])),
    ):
        (tmp_path / name).write_bytes(content)
        refused(read, tmp_path / name)
        with zipfile.ZipFile(tmp_path / name, "w") as packed:  # as torch packs it
            packed.writestr("archive/data.pkl", content)
            packed.writestr("archive/version", "3\n")
        refused(read, tmp_path / name)
    assert not (tmp_path / "mark").exists()


OBJ = {
    "corners that are not there": "v 0 0 0\nf 1 2 9\n",
    "corners before the first": "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n",
    "squares": "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n",
    "words": "v a b c\nf 1 1 1\n",
    "no numbers": "v nan inf 0\nf 1 1 1\n",
    "huge corners": "v 0 0 0\nf 99999999999999999999999 1 1\n",
    "nothing": "",
}


@pytest.mark.parametrize("kind", OBJ)
def test_meshes(tmp_path, kind):
    (tmp_path / "embedding.obj").write_text(OBJ[kind])
    refused(read_obj, tmp_path / "embedding.obj")


def npy(header: str, body: bytes = b"") -> bytes:
    text = header.encode("latin1") + b" " * (118 - len(header)) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


NPY = {
    "objects": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\nabort\n)R."),
    "an expression": npy("__import__('os').abort()"),
    "a shape beyond memory": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (9**18,), }"),
    "a shape below zero": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-2,), }"),
    "text": npy("{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }", b"\0" * 16),
    "nothing": b"",
    "a pickle": pickle.dumps([1, 2]),
}


@pytest.mark.parametrize("kind", NPY)
def test_eyelids(tmp_path, kind):
    (tmp_path / "l_eyelid.npy").write_bytes(NPY[kind])
    refused(read_npy, tmp_path / "l_eyelid.npy")
