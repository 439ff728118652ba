"""FlashAvatar, SplattingAvatar, tracked frames become profiles, run and travel; or a sentence."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no GPU stack: torch is not installed")

from tests.parity import flash_synth, gaga_synth  # noqa: E402 - after the skip
from tests.portraits import portrait_path  # noqa: E402
from vcam.engine.backends import Asked, open_stages  # noqa: E402
from vcam.enroll.own_avatar import into  # noqa: E402
from vcam.enroll.own_avatar.bring import bring, wished  # noqa: E402
from vcam.enroll.own_avatar.found import Wish, look  # noqa: E402
from vcam.enroll.own_avatar.frames import frame_files, read_clip  # noqa: E402
from vcam.enroll.own_avatar.motion import idle, motion_of  # noqa: E402
from vcam.errors import ConfigError, VcamError, WeightsError  # noqa: E402
from vcam.film.render import pictures  # noqa: E402
from vcam.media import FlameFace, FloatArray, Motion  # noqa: E402
from vcam.profiles import consent, profile, store  # noqa: E402
from vcam.profiles.consent import Consent  # noqa: E402
from vcam.render.avatars import identity  # noqa: E402
from vcam.system import opencv as cv2  # noqa: E402
from vcam.tensors import arrays  # noqa: E402

GIVEN = Path(__file__).parents[1] / "data" / "parity" / "identities"
ME = Consent("Me", "Me", "2026-11-28T20:00:00+00:00")
WISH = Wish(picture=(384, 320))
KINDS = ("flashavatar", "splattingavatar")
SIZE = 96


@pytest.fixture(scope="module")
def flame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five files of FLAME's world that a user brings."""
    folder = tmp_path_factory.mktemp("flame")
    flash_synth.write_assets(folder, 1)
    return folder


@pytest.fixture(scope="module")
def imported(flame: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one profile of each kind."""
    home = tmp_path_factory.mktemp("profiles")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VCAM_PROFILES", str(home))
        patch.setenv("VCAM_MODELS", str(home / "models"))
        for kind in KINDS:
            bring(sources(kind, flame), kind, ME, WISH)
    return home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VCAM_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.setenv("VCAM_MODELS", str(tmp_path / "models"))
    return tmp_path


@pytest.fixture
def profiles(imported: Path, home: Path) -> Path:
    """A home of this test's own with one profile of each kind."""
    shutil.copytree(imported, home / "profiles")
    return home


def sources(kind: str, flame: Path) -> list[Path]:
    return [GIVEN / kind, flame, *([GIVEN / "tracker"] if kind == "flashavatar" else [])]


def face(kind: str, **settings: str) -> profile.Profile:
    """The profile with networks small enough for a CPU."""
    return replace(profile.load(kind), weights="small", motion="artalk", **settings)


def syllables(seconds: float) -> FloatArray:
    ticks = np.arange(round(48_000 * seconds))
    noise = np.random.default_rng(3).normal(size=len(ticks))
    return (0.1 * noise * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * ticks / 48_000))).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_it_speaks_and_musetalk_paints_over_its_mouth(profiles, kind):
    bare, painted = (
        list(pictures(syllables(0.4), open_stages(Asked(face(kind, mouth=mouth), 25, SIZE))))
        for mouth in ("passthrough", "musetalk")
    )
    assert [frame.at for frame in bare] == [number * 1920 for number in range(10)]
    assert len({frame.array().tobytes() for frame in bare}) > 5
    marks = bare[0].landmarks
    assert marks is not None
    assert marks.shape == (68, 2)
    assert ((marks > -SIZE / 4) & (marks < 1.25 * SIZE)).all()
    changed = np.abs(bare[5].array().astype(int) - painted[5].array()).max(2) > 8
    assert changed.any()
    rows, _ = np.nonzero(changed)
    assert np.median(rows) > marks[27:31, 1].mean()  # below the eyes: it is the mouth


@pytest.mark.parametrize("kind", KINDS)
def test_the_head_turns_the_jaw_opens_and_landmarks_follow(profiles, kind):
    renderer = open_stages(Asked(face(kind, mouth="passthrough"), 25, SIZE)).renderer

    def seen(head: tuple[float, float, float], jaw: float) -> FloatArray:
        still = FlameFace(np.zeros(100, np.float32), np.array([jaw, 0, 0], np.float32))
        marks = renderer.step(Motion(0, np.array(head, np.float32), still)).landmarks
        assert marks is not None
        return marks

    rest = seen((0, 0, 0), 0)
    left = seen((0, 0.4, 0), 0)  # towards their left, which is the picture's right
    assert left[30, 0] > rest[30, 0] + 1
    assert seen((0.3, 0, 0), 0)[30, 1] > rest[30, 1] + 1  # nods: the nose goes down
    assert seen((0, 0, 0), 0.4)[8, 1] > rest[8, 1] + 1  # the chin goes down


@pytest.mark.parametrize("kind", KINDS)
def test_any_background_goes_behind(profiles, kind):
    shown = {}
    for background in ("#ff0000", "black"):
        asked = Asked(face(kind, mouth="passthrough", background=background), 25, SIZE)
        shown[background] = next(iter(pictures(syllables(0.2), open_stages(asked)))).array()
    corner = (slice(0, 4), slice(0, 4))
    assert (shown["#ff0000"][corner] == (255, 0, 0)).all()
    assert (shown["black"][corner] == 0).all()


def test_before_green_nobody_is_shown_before_green(profiles):
    assert profile.load("flashavatar").background == "#3c4043"
    assert profile.load("splattingavatar").background == "keep"


@pytest.mark.parametrize("kind", KINDS)
def test_it_travels_and_only_as_it_was_agreed_to(profiles, kind):
    packed = store.export(kind, profiles / "packed.zip")
    store.import_(packed, "again")
    assert store.check("again") == []
    avatar = profile.load("again").avatar
    assert avatar is not None
    avatar.write_bytes(avatar.read_bytes()[:-4] + b"abcd")
    assert any("agreed" in trouble for trouble in store.check("again"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_profile_is_named_by_check(profiles, kind):
    path = profile.load(kind).avatar
    assert path is not None
    whole = path.read_bytes()
    rng = np.random.default_rng(5)
    for _ in range(12):
        broken = bytearray(whole[: int(rng.integers(8, 4000))] + whole[4000:])
        broken[int(rng.integers(0, 3000))] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(bytes(broken))
        assert store.check(kind)  # a sentence, no exception


@pytest.mark.parametrize(
    ("kind", "gone", "said"),
    [
        ("flashavatar", "FlameMesh.obj", "FlameMesh.obj"),
        ("flashavatar", "l_eyelid.npy", "l_eyelid.npy"),
        ("flashavatar", "generic_model.pkl", "FLAME 2020"),
        ("splattingavatar", "generic_model.pkl", "FLAME 2020"),
        ("splattingavatar", "flame_params.json", "flame_params.json"),
        ("splattingavatar", "point_cloud.ply", "point_cloud.ply"),
    ],
)
def test_what_is_missing_is_named(home, flame, kind, gone, said):
    for source in sources(kind, flame):
        shutil.copytree(source, home / "given" / source.name, ignore=shutil.ignore_patterns(gone))
    with pytest.raises(ConfigError, match=said):
        bring([home / "given"], "me", ME, WISH)
    assert not (home / "profiles" / "me").exists()


def test_the_size_of_the_pictures_is_asked_for(home, flame):
    with pytest.raises(ConfigError, match="--picture"):
        bring(sources("splattingavatar", flame), "me", ME)


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self):
        return Path.touch, (self._mark,)


@pytest.mark.parametrize("name", ["FLAME_masks.pkl", "generic_model.pkl"])
def test_code_in_a_pickle_is_not_run(home, flame, name):
    given = shutil.copytree(flame, home / "given")
    (given / name).write_bytes(pickle.dumps({"boundary": Trap(home / "mark")}))
    with pytest.raises(WeightsError, match="nothing of it was run"):
        bring([*sources("flashavatar", given)], "me", ME)
    assert not (home / "mark").exists()


@pytest.mark.parametrize("name", ["chkpnt150000.pth", "00005.frame"])
def test_code_in_a_torch_file_is_not_run(home, flame, name):
    for source in sources("flashavatar", flame):
        shutil.copytree(source, home / "given" / source.name)
    (path,) = (home / "given").rglob(name)
    torch.save({"flame": Trap(home / "mark")}, path)
    with pytest.raises(WeightsError, match="nothing of it was run"):
        bring([home / "given"], "me", ME)
    assert not (home / "mark").exists()


@pytest.mark.parametrize(
    "name",
    ["point_cloud.ply", "embedding.json", "embedding.obj", "flame_params.json"],
)
def test_damaged_files_cost_one_sentence(home, flame, name):
    given = shutil.copytree(GIVEN / "splattingavatar", home / "given")
    (path,) = given.rglob(name)
    whole, rng = path.read_bytes(), np.random.default_rng(7)
    for _ in range(6):
        at, end = int(rng.integers(0, 300)), int(rng.integers(300, len(whole)))
        path.write_bytes(
            whole[:at] + bytes(rng.integers(0, 256, 9, dtype=np.uint8)) + whole[at:end]
        )
        with pytest.raises(VcamError):
            bring([given, flame], "me", ME, WISH)
    assert not (home / "profiles" / "me").exists()


def clip_with(home: Path, change) -> Path:
    """The tracked frames, each changed by `change` (a dictionary as stored)."""
    folder = home / "clip"
    folder.mkdir()
    for number in range(3):
        source = GIVEN / "tracker" / "checkpoint" / f"{number:05}.frame"
        with torch.serialization.safe_globals(arrays._array_builders()):
            frame = torch.load(source, map_location="cpu", weights_only=True)
        change(frame, number)
        torch.save(frame, folder / source.name)
    return folder


def moved_away(frame, number):
    frame["opencv"]["t"][0, 2] = frame["camera"]["t"][0, 2] = 8.9


def in_other_axes(frame, number):
    frame["opencv"]["R"][0, 1:] *= -1


def another_person(frame, number):
    frame["flame"]["shape"] = frame["flame"]["shape"] + number


def not_finite(frame, number):
    frame["flame"]["exp"][0, 3] = np.nan


def without_length(frame, number):
    frame["flame"]["jaw"][0, :3] = 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (moved_away, "another tracker's units"),
        (in_other_axes, "differ"),
        (another_person, "several people"),
        (not_finite, "finite"),
        (without_length, "no length"),
    ],
)
def test_numbers_that_are_not_the_trackers_are_refused(home, change, said):
    with pytest.raises(ConfigError, match=said):
        bring([clip_with(home, change)], "clip", ME)


def test_two_clips_are_one_too_many(home):
    with pytest.raises(ConfigError, match="2 folders"):
        bring([GIVEN / "tracker", GIVEN / "tracker_nonsquare"], "clip", ME)


def test_a_picture_is_height_by_width():
    clip = read_clip(frame_files(look([GIVEN / "tracker_nonsquare"])))
    assert clip.size == (540, 960)


def test_frames_alone_give_a_style_and_a_face_that_is_nobodys(home):
    folder, notes = bring([GIVEN / "tracker"], "clip", ME)
    assert any("style" in note for note in notes)
    assert store.check("clip") == []
    from vcam.motion.artalk.model import read_style

    style = read_style(folder / "style.safetensors")
    assert style.shape == (50, 106)
    assert not style[:, 104:].any()
    assert abs(style[:, 103].mean() - 0.066) < 0.06


def test_a_longer_clip_gives_a_loop_of_rest():
    rng = np.random.default_rng(1)
    walk = torch.from_numpy(rng.normal(size=(400, 103)).cumsum(0).astype(np.float32) * 0.01)
    jaw = torch.from_numpy(np.abs(rng.normal(size=(400, 3))).astype(np.float32) * 0.1)
    loop = idle(walk[:, :100], walk[:, 100:], jaw)
    assert 6 * 25 - 13 <= len(loop) <= 12 * 25
    step = (loop[1:] - loop[:-1]).abs().max()
    assert (loop[0] - loop[-1]).abs().max() <= 2 * step  # no jump where it begins anew
    assert loop.mean(0).abs().max() < 0.05


def test_a_short_clip_gives_none():
    clip = read_clip(frame_files(look([GIVEN / "tracker"])))
    assert "idle" not in motion_of(clip)


@pytest.mark.parametrize(("depth", "said"), [(1.69, "GAGAvatar's units"), (8.9, "")])
def test_a_camera_of_another_tracker_never_draws_gagavatar(home, depth, said):
    entry = gaga_synth.tracked_entry(5)
    entry["transform_matrix"] = entry["transform_matrix"].copy()
    entry["transform_matrix"].reshape(-1, 4)[2, 3] = depth
    torch.save({"me.jpg": entry}, home / "tracked.pt")
    if not said:
        folder, _ = bring([home / "tracked.pt"], "me", ME)
        assert (folder / "tracked.safetensors").is_file()
        assert store.check("me") == []
        return
    with pytest.raises(WeightsError, match=said):
        bring([home / "tracked.pt"], "me", ME)


@pytest.mark.parametrize("typed", [("green", "", ""), ("", "big", "")])
def test_what_is_typed_is_looked_at(typed):
    with pytest.raises(ConfigError, match="give"):
        wished(*typed)


def test_world_matrices_of_another_convention_are_refused(home, flame):
    given = shutil.copytree(GIVEN / "splattingavatar", home / "given")
    path = given / "flame_params.json"
    subject = json.loads(path.read_text())
    for frame in subject["frames"]:
        frame["world_mat"] = (np.diag([1, -1, -1]) @ np.array(frame["world_mat"])).tolist()
    path.write_text(json.dumps(subject))
    with pytest.raises(ConfigError, match=r"units|convention"):
        bring([given, flame], "me", ME, WISH)


@pytest.mark.parametrize("kind", KINDS)
def test_both_eyes_turn_where_they_are_told_to_look(profiles, kind):
    rig = identity.load(profiles / "profiles" / kind, kind)
    straight, aside = (
        rig.pose(torch.zeros(106), torch.tensor([0.0, angle, 0.0])).vertices for angle in (0, 0.2)
    )
    both = (rig.head.weights[:, joint] > 0.5 for joint in (3, 4))
    for eye in both:
        front = eye & (straight[:, 2] > straight[eye, 2].mean())
        by = aside - straight
        moved = by[front].mean(0) - by[eye].mean(0)  # less what correctives shift the whole eye by
        assert moved[0] > moved[1].abs()  # towards their left, which is the picture's right


def test_no_number_in_a_motion_holds_the_last_frame(profiles):
    renderer = open_stages(Asked(face("flashavatar", mouth="passthrough"), 25, SIZE)).renderer
    still = FlameFace(np.zeros(100, np.float32), np.zeros(3, np.float32))
    good = renderer.step(Motion(0, np.zeros(3, np.float32), still))
    held = renderer.step(Motion(1920, np.full(3, np.nan, np.float32), still))
    assert held.at == 1920
    assert np.array_equal(held.array(), good.array())
    assert renderer.remark.startswith("1 broken")


def shoulders(folder: Path) -> FloatArray:
    """A layer as wide as a camera's picture, in the profile in `folder`; its colours."""
    picture = np.zeros((270, 480, 4), np.uint8)
    picture[..., :3] = (
        np.random.default_rng(1).integers(0, 256, (9, 16, 3)).repeat(30, 0).repeat(30, 1)
    )
    picture[150:, 60:420, 3] = 255
    cv2.imwrite(str(folder / "torso.png"), picture)
    return picture[..., 2::-1].astype(np.float32)


def test_a_head_stands_on_the_shoulders_of_its_profile(profiles):
    folder = profiles / "profiles" / "flashavatar"
    colours = shoulders(folder)
    assert any("shoulders" in trouble for trouble in store.check("flashavatar"))  # nobody agreed
    own = profile.load("flashavatar")
    agreed = replace(own.consent, torso_sha256=consent.digest(folder / "torso.png"))
    profile.write(replace(own, consent=agreed, background="keep"), folder)
    assert store.check("flashavatar") == []
    asked = Asked(face("flashavatar", mouth="passthrough"), 25, 90)
    frames = list(pictures(syllables(0.2), open_stages(asked)))
    middle = cv2.resize(colours[:, 105:375], (90, 90), interpolation=cv2.INTER_AREA)
    shown = frames[0].array().astype(np.float32)
    assert np.abs(shown[-3:, 20:70] - middle[-3:, 20:70]).mean() < 25
    bare = list(pictures(syllables(0.2), open_stages(replace(asked, profile=replace(
        asked.profile, torso=False)))))  # fmt: skip
    assert np.abs(bare[0].array().astype(np.float32) - shown)[-3:].mean() > 25
    wide = own_finish(asked.profile)(frames[0]).array().astype(np.float32)
    scaled = cv2.resize(colours, (320, 180), interpolation=cv2.INTER_LINEAR)
    assert np.abs(wide[100:150, :60] - scaled[100:150, :60]).mean() < 6  # beside the square


def test_shoulders_that_come_later_bring_their_room_and_a_portrait_of_both(profiles):
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    folder = profiles / "profiles" / "flashavatar"
    before = cv2.imread(str(folder / "portrait.png"))
    assert np.abs(before[:20, -20:].astype(int) - (0x43, 0x40, 0x3C)).max() <= 1  # no green wall
    notes = into.add("flashavatar", [], portrait_path("hopper"), ME)
    assert any("background: keep" in note for note in notes)
    assert profile.load("flashavatar").background == "keep"
    assert store.check("flashavatar") == []
    layer = cv2.resize(cv2.imread(str(folder / "torso.png")), (256, 256))
    shown = cv2.imread(str(folder / "portrait.png")).astype(int)
    assert np.abs(shown - layer)[:40, -40:].mean() < 6
    assert np.abs(shown - layer)[-12:, -40:].mean() < 12  # the coat


def test_shoulders_whose_portrait_cannot_be_drawn_change_nothing(profiles, monkeypatch):
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    folder = profiles / "profiles" / "flashavatar"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def broken(*_):
        raise ConfigError("it cannot be drawn")

    monkeypatch.setattr(into, "portrait", broken)
    with pytest.raises(ConfigError, match="cannot be drawn"):
        into.add("flashavatar", [], portrait_path("hopper"), ME)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert store.check("flashavatar") == []
    assert {path.name for path in folder.parent.iterdir()} >= {"flashavatar"}
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]


def own_finish(chosen: profile.Profile):
    return replace(chosen, badge=replace(chosen.badge, corner="top-right")).finishing(
        (320, 180), 25
    )


def test_a_layer_travels_with_its_profile(profiles):
    folder = profiles / "profiles" / "splattingavatar"
    shoulders(folder)
    own = profile.load("splattingavatar")
    agreed = replace(own.consent, torso_sha256=consent.digest(folder / "torso.png"))
    profile.write(replace(own, consent=agreed), folder)
    store.import_(store.export("splattingavatar", profiles / "packed.zip"), "again")
    assert store.check("again") == []
    (profiles / "profiles" / "again" / "torso.png").write_bytes(b"another")
    assert len(store.check("again")) == 2  # not agreed to, and no picture


def test_tracked_frames_come_to_a_profile_that_is_there(profiles):
    notes = into.add("splattingavatar", [GIVEN / "tracker"], None, Consent())
    assert notes[0] == "64 tracked frames"
    folder = profiles / "profiles" / "splattingavatar"
    assert (folder / "style.safetensors").is_file()
    assert store.check("splattingavatar") == []
    again = into.add("flashavatar", [GIVEN / "tracker"], None, Consent())
    assert not any("another person" in note for note in again)


@pytest.mark.parametrize(
    ("sources", "said"), [([], "what shall be added"), (["flashavatar"], "no tracked frames")]
)
def test_nothing_else_is_added(profiles, sources, said):
    with pytest.raises(ConfigError, match=said):
        into.add("flashavatar", [GIVEN / name for name in sources], None, ME)


def test_a_face_with_shoulders_takes_no_others(profiles):
    store.create("plain", profile.Profile(renderer="head3d"))
    with pytest.raises(ConfigError, match="shoulders of its own"):
        into.add("plain", [], Path("me.jpg"), ME)
