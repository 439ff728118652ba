"""From a photo to a profile: checks, framing, consent, and what is left on disk."""

from datetime import UTC, date, datetime

import cv2
import numpy as np
import pytest

from tests.portraits import portrait, portrait_path
from vcam import profile
from vcam.consent import Consent, by_the_person, digest, from_file
from vcam.enroll import create, prepare
from vcam.errors import ConfigError
from vcam.judge import degrees
from vcam.landmarks import Face
from vcam.picture import Picture, read_picture
from vcam.prepared import read_prepared

pytest.importorskip("ai_edge_litert", reason="pip install 'vcam[face]'")
AGREED = by_the_person("A. Person", datetime(2026, 1, 2, tzinfo=UTC))
PUPPET = profile.Profile(title="Me", renderer="puppet")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path / "profiles"))
    return tmp_path / "profiles"


def picture(pixels):
    return Picture(np.ascontiguousarray(pixels), None, "0" * 64)


def texts(pixels):
    return " | ".join(finding.text for finding in prepare(picture(pixels)).findings)


@pytest.mark.parametrize("name", ["astronaut", "hopper"])
def test_the_head_fills_the_portrait_as_the_renderers_want_it(name):
    made = prepare(read_picture(portrait_path(name))).prepared
    size = len(made.colours)
    points = made.points[:, :2]
    chin = points[152, 1]
    rows = np.nonzero((made.alpha[:, size // 3 : 2 * size // 3] > 127).any(1))[0]
    assert 0.45 < (chin - rows[0]) / size < 0.72
    assert abs(points[:, 0].mean() / size - 0.5) < 0.08
    assert made.alpha[: size // 20].max() < 20  # air above the head
    assert made.alpha[int(points[1, 1]), int(points[1, 0])] == 255  # the nose is a person's


def test_the_same_photo_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        prepare(read_picture(portrait_path("hopper"))).prepared.write(tmp_path / name)
    for file in ("portrait.png", "face.npz"):
        assert digest(tmp_path / "one" / file) == digest(tmp_path / "two" / file)


def test_a_written_photo_is_read_back(tmp_path):
    made = prepare(read_picture(portrait_path("hopper"))).prepared
    made.write(tmp_path)
    read = read_prepared(tmp_path)
    assert (read.points == made.points).all()
    assert (read.alpha == made.alpha).all()
    assert (read.colours == made.colours).all()


def test_a_good_photo_passes_without_remarks():
    assert prepare(read_picture(portrait_path("hopper"))).findings == ()


def test_remarks_name_what_is_wrong():
    photo = portrait("hopper")
    left, right = photo.copy(), portrait("astronaut")
    left[:, :262] = left[:, :262] // 4
    assert "one side" in texts(left)
    assert "dark" in texts(photo // 5)
    assert "smile" in texts(right)
    assert "blurred" in texts(cv2.GaussianBlur(photo, (0, 0), 9))
    assert "small" in texts(right)
    both = np.hstack([photo[:400], cv2.resize(photo, (384, 450))[:400]])
    assert "2 faces" in texts(both)


def test_a_tiny_face_is_refused():
    small = cv2.resize(portrait("hopper"), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    assert any("too small" in text for text in prepare(picture(small)).refusals)


def test_a_face_at_the_edge_is_refused():
    assert any("cut off" in text for text in prepare(picture(portrait("hopper")[190:])).refusals)


def test_no_face_no_profile():
    with pytest.raises(ConfigError, match="no face"):
        prepare(picture(np.full((300, 300, 3), 90, np.uint8)))


def test_the_turn_of_a_face_is_measured():
    """A made-up face, turned by known angles."""
    from vcam.render.puppet_mesh import load_mesh

    points = load_mesh()[0] * np.array([1, -1, -1], np.float32)
    for axis, angle in ((1, 20.0), (0, 12.0), (2, 9.0)):
        spin, _ = cv2.Rodrigues(np.eye(3)[axis] * np.radians(angle))
        turned = (points @ spin.T).astype(np.float32)
        found = degrees(Face(np.concatenate([turned, turned[:10]]), 1.0))
        assert sum(abs(a) for a in found) == pytest.approx(angle, abs=0.3)
        assert abs(found[{1: 0, 0: 1, 2: 2}[axis]]) == pytest.approx(angle, abs=0.3)


def test_creating_writes_a_profile_that_runs(home):
    folder, _ = create("me", portrait_path("hopper"), AGREED, PUPPET)
    assert folder == home / "me"
    loaded = profile.load("me")
    loaded.require_consent()
    assert loaded.renderer == "puppet"
    assert loaded.consent.photo_sha256 == digest(portrait_path("hopper"))
    assert loaded.consent.portrait_sha256 == digest(folder / "portrait.png")


def test_nobody_is_shown_who_has_not_agreed(home):
    with pytest.raises(ConfigError, match="nobody has agreed"):
        create("me", portrait_path("hopper"), Consent(), PUPPET)
    folder, _ = create("me", portrait_path("hopper"), AGREED, PUPPET)
    profile.write(profile.Profile(title="Me", renderer="puppet"), folder)
    with pytest.raises(ConfigError, match="no consent is recorded"):
        profile.load("me").require_consent()


def test_consent_is_for_one_portrait(home):
    folder, _ = create("me", portrait_path("hopper"), AGREED, PUPPET)
    other = prepare(read_picture(portrait_path("astronaut"))).prepared
    other.write(folder)
    with pytest.raises(ConfigError, match="not the one that was agreed to"):
        profile.load("me").require_consent()


def test_consent_from_a_file_may_be_for_one_photo(home, tmp_path):
    note = tmp_path / "consent.yaml"
    note.write_text(
        "person: Grace\nagreed_by: her estate\nagreed_at: '2026-01-02T03:04:05+00:00'\n"
        f"photo_sha256: '{'0' * 64}'\n"
    )
    with pytest.raises(ConfigError, match="another photo"):
        create("grace", portrait_path("hopper"), from_file(note), PUPPET)
    note.write_text("person: Grace\nagreed_by: her estate\nagreed_at: yesterday\n")
    with pytest.raises(ConfigError, match="date and time"):
        from_file(note)
    note.write_text("person: Grace\n")
    with pytest.raises(ConfigError, match="must name"):
        from_file(note)


@pytest.mark.parametrize("when", ["2026-01-02", "2026-01-02T03:04:05+00:00", "2026-01-02 03:04:05"])
def test_a_date_needs_no_quotes(tmp_path, when):
    """YAML reads a date where one is written; so does whoever writes it."""
    note = tmp_path / "consent.yaml"
    note.write_text(f"person: Grace\nagreed_by: Grace\nagreed_at: {when}\n")
    assert datetime.fromisoformat(from_file(note).agreed_at).date() == date(2026, 1, 2)


def test_a_failure_leaves_nothing(home):
    def fail(enrolled, folder):
        raise ConfigError("no fit")

    with pytest.raises(ConfigError, match="no fit"):
        create("me", portrait_path("hopper"), AGREED, PUPPET, fit=fail)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", ["../me", "", "a/b", ".", "demo", "ä", "-x", "a" * 65, "me\n"])
def test_names_cannot_leave_the_folder(home, name):
    with pytest.raises(ConfigError):
        create(name, portrait_path("hopper"), AGREED, PUPPET)
    assert not home.exists() or list(home.iterdir()) == []
