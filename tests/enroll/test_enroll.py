"""From a photo to a profile: checks, framing, consent, and what is left on disk."""

from datetime import UTC, date, datetime

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.pictures import saved
from tests.portraits import portrait, portrait_path
from vcam.enroll.enroll import create, prepare
from vcam.enroll.photo_quality import _size, degrees
from vcam.errors import ConfigError
from vcam.photo.enrolled import read_enrolled_photo
from vcam.photo.landmarks import _EYES, Face
from vcam.photo.picture import Picture, read_picture
from vcam.profiles import profile
from vcam.profiles.consent import Consent, by_the_person, digest, from_file

pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
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
    read = read_enrolled_photo(tmp_path)
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


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("name", ["astronaut", "hopper"])
def test_a_photo_without_a_turn_in_its_file_is_turned_by_its_face(name, quarters):
    photo = portrait(name)
    upright = prepare(picture(photo)).prepared
    lying = prepare(picture(np.rot90(photo, quarters)))
    turned = {1: "90° to the right", 2: "180°", 3: "90° to the left"}[quarters]
    assert f"the photo is not upright: turned by {turned}" in [f.text for f in lying.findings]
    assert lying.refusals == []
    assert np.abs(lying.prepared.colours.astype(int) - upright.colours).mean() < 6


@pytest.mark.parametrize("angle", [-58, 53, 58])
def test_a_head_between_upright_and_lying_is_refused(angle):
    photo = portrait("hopper")
    spin = cv2.getRotationMatrix2D((256, 300), angle, 0.8)
    tilted = cv2.warpAffine(photo, spin, (512, 600), borderMode=cv2.BORDER_REPLICATE)
    (refusal,) = prepare(picture(tilted)).refusals
    assert "the head is tilted by" in refusal


def share(made):
    return float((made.prepared.alpha > 127).mean())


def test_an_alpha_that_is_opaque_everywhere_cuts_nothing_out(tmp_path):
    """As every screenshot has it; the network is asked, as for the same photo without."""
    photo = portrait("hopper")
    opaque = Picture(photo, np.full(photo.shape[:2], 255, np.uint8), "0" * 64)
    assert share(prepare(opaque)) == share(prepare(picture(photo))) < 0.6


def cut_outs():
    """A photo cut out around the head, with magenta in what is hidden, as files keep it."""
    photo = portrait("hopper")
    y, x = np.mgrid[:600, :512]
    outside = ((x - 256) / 215) ** 2 + ((y - 330) / 300) ** 2 >= 1
    full = np.dstack([photo, np.where(outside, 0, 255).astype(np.uint8)])
    full[outside, :3] = (255, 0, 255)
    whole = Image.fromarray(full)
    palette = whole.quantize(255, method=Image.Quantize.FASTOCTREE)
    keyed = Image.fromarray(full[..., :3])
    return {
        "turned": saved(whole, orientation=6),
        "palette": saved(palette),
        "colour": saved(keyed, transparency=(255, 0, 255)),
        "webp": saved(whole, "WEBP", orientation=8, quality=90),
    }


@pytest.mark.parametrize("kind", ["turned", "palette", "colour", "webp"])
def test_a_cut_out_keeps_its_outline_and_hides_what_it_hides(tmp_path, kind):
    (tmp_path / "photo").write_bytes(cut_outs()[kind])
    made = prepare(read_picture(tmp_path / "photo"))
    assert made.findings == ()
    red, green, blue = np.moveaxis(made.prepared.colours.astype(int), 2, 0)
    assert not ((red > green + 90) & (blue > green + 90)).any()  # nowhere magenta
    assert 0.45 < share(made) < 0.75
    assert made.prepared.alpha[:, :4].max() < 20


def test_a_window_on_a_transparent_ground_is_no_outline():
    photo = portrait("hopper")
    wide = np.full((700, 612, 3), (255, 0, 255), np.uint8)
    wide[50:650, 50:562] = photo
    there = np.zeros((700, 612), np.uint8)
    there[50:650, 50:562] = 255
    made = prepare(Picture(wide, there, "0" * 64))
    assert share(made) == share(prepare(picture(photo)))


def test_a_tiny_face_is_refused():
    small = cv2.resize(portrait("hopper"), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    (told,) = [text for text in prepare(picture(small)).refusals if "too small" in text]
    assert "give at least 36; 90 or more look sharp" in told


@pytest.mark.parametrize("eyes", [35.8, 36.0, 89.7, 90.0])
def test_a_face_is_never_told_the_size_that_would_do(eyes):
    points = np.full((478, 3), 60.0, np.float32)
    points[_EYES[1], 0] += eyes
    said = [each.text for each in _size(np.zeros((400, 400, 3), np.uint8), Face(points, 1.0))]
    assert all("36 pixels" not in text or eyes >= 36 for text in said)
    assert all("90 pixels" not in text for text in said)
    assert len(said) == (0 if eyes >= 90 else 1)


def test_a_face_at_the_edge_is_refused():
    assert any("cut off" in text for text in prepare(picture(portrait("hopper")[190:])).refusals)


def test_no_face_no_profile():
    with pytest.raises(ConfigError, match="no face"):
        prepare(picture(np.full((300, 300, 3), 90, np.uint8)))


def test_the_turn_of_a_face_is_measured():
    """A made-up face, turned by known angles."""
    from vcam.render.puppet.mesh import load_mesh

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
