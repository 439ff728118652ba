"""Profiles that somebody unpacked and packed again: taken, with the same safety as our own."""

import io
import os
import stat
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.platforms import not_on_windows
from tests.profiles.test_profile import person
from vcam.errors import ConfigError
from vcam.profiles import store
from vcam.profiles.archive import FILES, pack, unpack

FEW = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
CONTENT = {"profile.yaml": b"title: Ada\n", "portrait.png": b"picture", "face.npz": b"points"}
JUNK = (
    *("__MACOSX/", "__MACOSX/me/._portrait.png", ".DS_Store", "me/.DS_Store", "me/._profile.yaml"),
    *(
        "Thumbs.db",
        "me/Thumbs.db",
        "me/desktop.ini",
        "me/preview.png",
        "me/preview.jpg",
        "me/",
        "./",
        "me/.directory",
    ),
)
FOLDER = st.text(
    st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1, max_size=9
).filter(lambda name: name not in (".", "..", "__MACOSX") and name[1:2] != ":")


def zipped(path, members):
    """Members: a name or a ZipInfo, and its content."""
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members:
            packed.writestr(name, content)
    return path


@given(
    around=st.lists(FOLDER, max_size=3),
    junk=st.lists(st.sampled_from(JUNK), unique=True),
    backslashes=st.booleans(),
    written=st.sampled_from((str, str.upper, str.title)),
    shuffled=st.randoms(use_true_random=False),
)
@FEW
def test_a_profile_that_was_packed_again_is_taken(
    tmp_path, around, junk, backslashes, written, shuffled
):
    members = [("/".join([*around, written(name)]), data) for name, data in CONTENT.items()]
    members += [(name, b"" if name.endswith("/") else b"junk") for name in junk]
    shuffled.shuffle(members)
    if backslashes:
        members = [(name.replace("/", "\\"), data) for name, data in members]
    target = tmp_path / "out"
    target.mkdir(exist_ok=True)
    unpack(zipped(tmp_path / "again.zip", members), target)
    assert {file.name: file.read_bytes() for file in target.iterdir()} == CONTENT


def member(name, mode):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


PROFILE = ("me/profile.yaml", b"title: Ada\n")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([PROFILE, ("me/../../evil.yaml", b"x")], "it holds 'me/../../evil.yaml'"),
        ([PROFILE, ("..\\evil.yaml", b"x")], "it holds"),
        ([PROFILE, ("../.DS_Store", b"x")], "it holds '../.DS_Store'"),
        ([PROFILE, ("/me/portrait.png", b"x")], "it holds '/me/portrait.png'"),
        ([PROFILE, ("\\\\host\\share\\portrait.png", b"x")], "it holds"),
        ([("C:\\me\\profile.yaml", b"x")], "it holds"),
        ([PROFILE, ("portrait.png", b"x")], "it holds 'portrait.png'"),
        ([PROFILE, ("you/portrait.png", b"x")], "it holds 'you/portrait.png'"),
        ([PROFILE, ("me/run.py", b"x")], "it holds 'me/run.py'"),
        ([("a/b/c/d/e/profile.yaml", b"x")], "it holds"),
        ([PROFILE, ("me/PROFILE.YAML", b"x")], "holds a file twice: profile.yaml"),
        pytest.param(
            [PROFILE, ("me\\profile.yaml", b"x")],
            "holds a file twice",
            marks=not_on_windows("zipfile writes a slash there"),
        ),
        ([PROFILE, (member("me/portrait.png", stat.S_IFLNK | 0o777), b"/etc/passwd")], "no plain"),
        ([PROFILE, (member("me/portrait.png", stat.S_IFCHR | 0o666), b"")], "no plain file"),
        ([("me/portrait.png", bytes(65 << 20))], "unpacks to more than 64 MB"),
        ([(f"__MACOSX/{number}", b"") for number in range(1001)], "it holds 1001 files"),
    ],
)
def test_what_is_more_than_a_profile_is_refused(tmp_path, members, message):
    (tmp_path / "in" / "out").mkdir(parents=True)
    before = {path for path in tmp_path.rglob("*")}
    with pytest.raises(ConfigError, match=message):
        unpack(zipped(tmp_path / "x.zip", members), tmp_path / "in" / "out")
    assert {path for path in tmp_path.rglob("*")} - before == {tmp_path / "x.zip"}


def test_a_folder_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(ConfigError, match="is a folder; pack it into a ZIP file first"):
        unpack(tmp_path, tmp_path)
    with pytest.raises(ConfigError, match="there is no file"):
        unpack(tmp_path / "no.zip", tmp_path)


def test_a_file_from_before_1980_is_packed(tmp_path):
    """As after an unset clock; ZIP cannot say so."""
    (tmp_path / "me").mkdir()
    (tmp_path / "me" / "profile.yaml").write_text("title: Ada\n")
    os.utime(tmp_path / "me" / "profile.yaml", (0, 0))
    pack(tmp_path / "me", tmp_path / "me.zip")
    unpack(tmp_path / "me.zip", tmp_path)
    assert (tmp_path / "profile.yaml").read_text() == "title: Ada\n"


def test_the_whole_way_of_a_profile_that_was_looked_at(tmp_path, monkeypatch):
    """Exported, unpacked, packed again with its folder, imported: the same bytes."""
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    folder = person(tmp_path / "home" / "ada")
    exported = store.export("ada", tmp_path / "ada.zip")
    with zipfile.ZipFile(io.BytesIO(exported.read_bytes())) as packed:
        again = [(f"Ada Größe/{name}", packed.read(name)) for name in packed.namelist()]
    again += [("Ada Größe/", b""), ("__MACOSX/Ada Größe/._face.npz", b"x")]
    taken = store.import_(zipped(tmp_path / "again.zip", again), "twin")
    assert store.check("twin") == []
    for file in FILES:
        if (folder / file).is_file():
            assert (taken / file).read_bytes() == (folder / file).read_bytes()
