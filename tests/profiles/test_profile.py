"""Profiles on disk: strict, versioned, carried about; and `vcam profile`."""

import zipfile

import cv2
import numpy as np
import pytest

from tests.pictures import RED, marked, saved
from vcam.cli import profile as profile_cli
from vcam.cli.main import main
from vcam.errors import ConfigError
from vcam.photo.enrolled import EnrolledPhoto, read_enrolled_photo
from vcam.picture.badge import Badge
from vcam.picture.compose import Framing
from vcam.profiles import profile, store
from vcam.profiles.consent import Consent, digest

AT = "2026-01-02T03:04:05+00:00"


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "profiles"
    folder.mkdir()
    monkeypatch.setenv("VCAM_PROFILES", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return folder


def person(folder, **settings):
    """A made-up person's profile in `folder`: random pixels, a made-up face."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    points = rng.uniform(80, 180, (478, 3)).astype(np.float32)
    pixels = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    cover = np.full((256, 256), 255, np.uint8)
    EnrolledPhoto(pixels, cover, points, np.zeros(52, np.float32)).write(folder)
    consent = Consent("Ada", "Ada", AT, "0" * 64, digest(folder / "portrait.png"))
    wanted = profile.Profile(title="Ada", renderer="puppet", consent=consent, **settings)
    profile.write(wanted, folder)
    return folder


def test_settings_survive_a_round_trip(home):
    framing, badge = Framing(1.5, 0.1, -0.1), Badge(corner="top-right", size=2.0)
    folder = person(home / "ada", framing=framing, badge=badge, background="#102030", seed=9)
    read = profile.load("ada")
    assert (read.framing, read.badge) == (framing, badge)
    assert (read.background, read.seed, read.consent.person) == ("#102030", 9, "Ada")
    profile.write(read, folder)
    assert profile.read(folder) == read


def test_version_1_is_read_and_kept_as_it_is(home):
    (home / "old").mkdir()
    text = "version: 1\ntitle: Old\nrenderer: head3d\n"
    (home / "old" / "profile.yaml").write_text(text)
    old = profile.load("old")
    assert (old.version, old.title, old.badge) == (profile.VERSION, "Old", Badge())
    assert (home / "old" / "profile.yaml").read_text() == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 99", "newer vcam"),
        ("version: 0", "whole number"),
        ("version: yes", "whole number"),
        ("titel: X", "did you mean title"),
        ("badge: {colour: red}", "unknown setting colour"),
        ("badge: {shown: false}", "acknowledged"),
        ("badge: 7", "settings of its own"),
        ("framing: {zoom: 99}", "zoom"),
        ("framing: {zoom: .nan}", "zoom"),
        ("seed: -1", "seed"),
        ("title: ''", "title"),
        ("background: ../../etc/passwd", "background"),
        ("background: background.png/../x.png", "background"),
        ("renderer: pupet", "did you mean puppet"),
        ("folder: /", "unknown setting folder"),
        ("consent: {agreed_at: soon}", "date and time"),
        ("!!python/object/apply:os.system [true]", "not valid YAML"),
        ("title: !!int ''", "not valid YAML"),
        ("- a\n- b", "settings"),
        ("[" * 3000, "not valid YAML"),
    ],
)
def test_what_is_wrong_is_said(home, text, message):
    (home / "bad").mkdir()
    (home / "bad" / "profile.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        profile.load("bad")


def test_a_yaml_bomb_is_refused_at_once(home):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for last, new in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{new}: &{new} [{', '.join([f'*{last}'] * 10)}]")
    (home / "bomb").mkdir()
    (home / "bomb" / "profile.yaml").write_text("\n".join([*lines, "title: *i"]))
    with pytest.raises(ConfigError, match="unknown setting a"):
        profile.load("bomb")
    (home / "bomb" / "profile.yaml").write_text(
        "title: " + "[" + ", ".join(["&a [x, x]", *["*a"] * 9]) + "]"
    )
    with pytest.raises(ConfigError, match="must be text"):
        profile.load("bomb")


def test_rename_and_remove(home):
    person(home / "ada")
    store.rename("ada", "eva")
    assert store.check("eva") == []
    with pytest.raises(ConfigError, match="no profile called ada"):
        store.rename("ada", "x")
    with pytest.raises(ConfigError, match="already"):
        store.rename("eva", "demo")
    store.remove("eva")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "\0", "x" * 65])
def test_names_stay_names(home, name, tmp_path):
    person(home / "ada")
    for act in (
        lambda: store.rename("ada", name),
        lambda: store.remove(name),
        lambda: store.import_(tmp_path / "x.zip", name),
        lambda: profile.load(name),
    ):
        with pytest.raises(ConfigError, match="cannot be a profile's name"):
            act()


def test_what_ships_with_vcam_cannot_be_changed(home):
    with pytest.raises(ConfigError, match="ships with vcam"):
        store.remove("demo")


def test_a_link_is_not_followed_when_removing(home, tmp_path):
    person(tmp_path / "elsewhere")
    (home / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        store.remove("link")
    assert (tmp_path / "elsewhere" / "profile.yaml").is_file()


def test_check_names_every_trouble(home):
    folder = person(home / "ada")
    assert store.check("ada") == []
    (folder / "face.npz").write_bytes(b"nothing")
    profile.write(profile.Profile(title="Ada", renderer="puppet"), folder)
    troubles = " ".join(store.check("ada"))
    assert "no consent" in troubles
    assert "damaged" in troubles


def test_a_header_that_numpy_trips_over_is_damage(home):
    """Its reader of old headers raises tokenize.TokenError; found by the fuzzer."""
    folder = person(home / "ada")
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (478, 3L\n"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    zipped(folder / "face.npz", [("points.npy", member), ("shown.npy", member)])
    with pytest.raises(ConfigError, match="damaged"):
        read_enrolled_photo(folder)


def test_a_profile_travels(home, tmp_path):
    person(home / "ada")
    (home / "ada" / "preview.png").write_bytes(b"stays here")
    packed = store.export("ada", tmp_path)
    with pytest.raises(ConfigError, match="already"):
        store.export("ada", packed)
    folder = store.import_(packed, "twin")
    assert store.check("twin") == []
    assert sorted(path.name for path in folder.iterdir()) == [
        "face.npz",
        "portrait.png",
        "profile.yaml",
    ]


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members:
            packed.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("../evil.yaml", "x")], "holds '../evil.yaml'"),
        ([("/etc/cron.d/x", "x")], "it holds"),
        ([("profile.yaml/x", "x")], "it holds"),
        ([("run.py", "x")], "it holds 'run.py'"),
        ([("portrait.png", "\0" * (65 << 20))], "unpacks to more"),
        ([("portrait.png", "x")], "cannot read"),
        ([("profile.yaml", "renderer: puppet")], "needs a portrait"),
        ([("profile.yaml", "title: X"), ("portrait.png", "x")], "is a text file, no picture"),
    ],
)
def test_foreign_archives_are_refused_and_leave_nothing(home, tmp_path, members, message):
    path = zipped(tmp_path / "x.zip", members)
    with pytest.raises(ConfigError, match=message):
        store.import_(path, "new")
    assert list(home.iterdir()) == []
    assert not (tmp_path / "evil.yaml").exists()


def test_a_person_without_consent_cannot_be_imported(home, tmp_path):
    folder = person(home / "ada")
    profile.write(profile.Profile(title="Ada", renderer="puppet"), folder)
    with pytest.raises(ConfigError, match="no consent"):
        store.import_(store.export("ada", tmp_path / "a.zip"), "twin")


def test_the_command_line(home, tmp_path, capsys):
    person(home / "ada")
    assert main(["profile", "list"]) == 0
    assert main(["profile", "show", "ada"]) == 0
    assert main(["profile", "check", "ada"]) == 0
    shown = capsys.readouterr().out
    assert "Ada agreed at 2026" in shown
    assert "ada is in order" in shown
    assert main(["profile", "badge", "ada", "--corner", "top-left", "--size", "1.5"]) == 0
    assert main(["profile", "badge", "ada", "--off"]) == 1
    assert "--i-will-disclose-myself" in capsys.readouterr().err
    assert profile.load("ada").badge == Badge(corner="top-left", size=1.5)
    assert main(["profile", "badge", "ada", "--off", "--i-will-disclose-myself"]) == 0
    assert "Ada, 20" in profile.load("ada").badge.hidden_by
    assert main(["profile", "export", "ada", str(tmp_path / "a.zip")]) == 0
    assert main(["profile", "import", str(tmp_path / "a.zip"), "twin"]) == 0
    assert main(["profile", "rename", "twin", "two"]) == 0
    assert main(["profile", "remove", "two"]) == 0
    assert main(["profile", "check", "two"]) == 1


def test_a_background_is_kept_as_it_is_seen(tmp_path):
    """Upright and as a PNG, whatever the file is and is called: it has to travel."""
    (tmp_path / "wall.jpg").write_bytes(saved(marked(2000, 3000), "WEBP", 6, quality=95))
    name, picture = profile_cli._background(str(tmp_path / "wall.jpg"))
    assert name == "background.png"
    assert picture.shape == (1707, 2560, 3)
    assert np.abs(picture[9, 9].astype(int) - RED).max() < 12
    hidden = np.dstack([marked(), np.zeros((32, 48), np.uint8)])
    hidden[:, :24, 3] = 255
    (tmp_path / "logo.png").write_bytes(saved(hidden))
    _, picture = profile_cli._background(str(tmp_path / "logo.png"))
    assert (picture[:, 24:] == picture[0, -1]).all()
    assert tuple(picture[0, 0]) == RED


def test_creating_on_the_command_line(home, tmp_path, capsys):
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    from tests.portraits import portrait_path
    from vcam.enroll.preview import SIDE

    photo = ["--photo", str(portrait_path("hopper")), "--renderer", "puppet"]
    assert main(["profile", "create", "me", *photo]) == 1
    assert "--i-am-the-person" in capsys.readouterr().err
    wall = tmp_path / "wall.png"
    cv2.imwrite(str(wall), np.full((20, 20, 3), 77, np.uint8))
    given = ["--i-am-the-person", "Grace", "--background", str(wall), "--zoom", "1.2"]
    assert main(["profile", "create", "me", *photo, *given]) == 0
    made = profile.load("me")
    assert (made.consent.person, made.background) == ("Grace", "background.png")
    assert made.framing.zoom == 1.2
    assert store.check("me") == []
    assert (home / "me" / "preview.png").is_file()
    looks = cv2.imread(str(home / "me" / "preview.jpg"))
    assert looks.shape == (2 * SIDE, 3 * SIDE, 3)
    first, second = looks[:SIDE, :SIDE].astype(int), looks[:SIDE, SIDE : 2 * SIDE]
    assert np.abs(first - second).max() > 60  # the mouth has opened
    assert main(["profile", "create", "me", *photo, *given]) == 1
