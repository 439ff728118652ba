# ruff: noqa: E402 - imports follow the skip
"""The neural renderer on a small stand-in, and its frames on their way to a camera."""

import dataclasses
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.fakes import chunks, tone
from tests.render.stand_ins import flame_asset, flame_model, motions, person, stand_in_net
from vcam.audio.microphone import PreparedSound
from vcam.camera.memory import MemoryCamera
from vcam.engine.engine import Engine
from vcam.engine.pipeline import Pipeline
from vcam.errors import ConfigError, DeviceError, WeightsError
from vcam.link.local import LocalLink
from vcam.live.session import Session
from vcam.media import AudioChunk, BlendshapeFace, FlameFace, Motion, frame_ticks
from vcam.motion.interpolate import ResampledMotion
from vcam.mouth.passthrough import Passthrough
from vcam.nets.gagavatar import GagavatarConfig
from vcam.nets.styleunet import StyleUnet
from vcam.photo.torso import Torso
from vcam.render.gagavatar import viewpoint
from vcam.render.gagavatar.identity import Identity, cache_path, prepared
from vcam.render.gagavatar.pose_limits import HEAD_LIMIT, JAW_LIMIT, flame_row
from vcam.render.gagavatar.renderer import GagavatarRenderer
from vcam.render.gagavatar.steps import FLAME_SCALE, Manner
from vcam.render.gagavatar.tracked import save_profile
from vcam.render.torso.opening import Shoulders

SEED = 7
HEAD = 400
SMALL = GagavatarConfig.small(HEAD)
CPU = torch.device("cpu")
SIZE = SMALL.renderer.size


@pytest.fixture(scope="module")
def net():
    return stand_in_net(SMALL, SEED)


@pytest.fixture(scope="module")
def identity(net):
    return prepared(net, person(SEED), None, CPU)


@pytest.fixture(scope="module")
def flame():
    return flame_model(SEED, HEAD)


@pytest.fixture(scope="module")
def make(net, identity, flame):
    def build(**settings) -> GagavatarRenderer:
        upsampler = StyleUnet(SMALL.renderer).eval()
        upsampler.load_state_dict(net.upsampler.state_dict())
        return GagavatarRenderer(identity, upsampler, flame, **settings)

    return build


@pytest.fixture(scope="module")
def renderer(make):
    return make()


@pytest.fixture(autouse=True)
def _new(renderer):
    renderer.reset()
    renderer._broken.count = 0


def drawn(renderer, count=3):
    return [renderer.step(motion) for motion in motions(SEED, count)]


def with_jaw(motion: Motion, jaw: float) -> Motion:
    face = dataclasses.replace(motion.face, jaw=np.array([jaw, 0, 0], np.float32))
    return dataclasses.replace(motion, face=face)


def test_frames_carry_ticks_pixels_and_landmarks(renderer):
    frames = drawn(renderer)
    assert [frame.at for frame in frames] == [0, 1920, 3840]
    for frame in frames:
        assert frame.pixels.shape == (SIZE, SIZE, 3)
        assert frame.pixels.dtype == np.uint8
        assert frame.landmarks.shape == (68, 2)
        assert ((frame.landmarks > -SIZE) & (frame.landmarks < 2 * SIZE)).all()
    assert not np.array_equal(frames[0].pixels, frames[1].pixels)


def test_a_frame_outlives_the_next(renderer):
    first, *_ = frames = drawn(renderer)
    kept = first.pixels.copy()
    marks = first.landmarks.copy()
    drawn(renderer)
    assert np.array_equal(frames[0].pixels, kept)
    assert np.array_equal(frames[0].landmarks, marks)


def test_reset_makes_it_new(renderer):
    first = drawn(renderer)
    again = drawn(renderer)  # the forehead remembers
    renderer.reset()
    new = drawn(renderer)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, new, strict=True))
    assert not np.array_equal(first[0].landmarks, again[0].landmarks)


def test_motion_that_is_no_number_holds_the_last_frame_and_is_counted(renderer):
    good, bad = motions(SEED, 2)
    shown = renderer.step(good)
    for spoilt in (
        dataclasses.replace(bad, head=np.array([0, np.nan, 0], np.float32)),
        with_jaw(bad, float("inf")),
    ):
        frame = renderer.step(spoilt)
        assert frame.at == bad.at
        assert np.array_equal(frame.pixels, shown.pixels)
    assert renderer.remark.startswith("2 broken")


def test_no_number_in_the_first_motion_shows_the_head_at_rest(renderer):
    motion = motions(SEED, 1)[0]
    frame = renderer.step(dataclasses.replace(motion, head=np.full(3, np.nan, np.float32)))
    rest = FlameFace(np.zeros(100, np.float32), np.zeros(3, np.float32))
    renderer.reset()
    expected = renderer.step(Motion(0, np.zeros(3, np.float32), rest))
    assert np.array_equal(frame.pixels, expected.pixels)


def test_extreme_motion_is_held_at_plausible_limits():
    motion = motions(SEED, 1)[0]
    wild = Motion(
        0,
        np.array([0, 9, 0], np.float32),
        FlameFace(1e6 * motion.face.expression, np.array([40, 0, 0], np.float32)),
    )
    row = flame_row(wild)
    assert np.linalg.norm(row[100:103]) == pytest.approx(HEAD_LIMIT, rel=1e-5)
    assert row[101] > 0.89  # the same axis
    assert np.linalg.norm(row[103:]) == pytest.approx(JAW_LIMIT, rel=1e-5)
    assert np.abs(row[:100]).max() <= 6
    plain = flame_row(motion)
    assert np.array_equal(plain[:100], motion.face.expression)


def test_extreme_motion_still_gives_a_picture(renderer):
    wild = with_jaw(motions(SEED, 1)[0], 1e30)
    assert renderer.step(wild).pixels.std() > 0


def test_blendshapes_are_refused_with_advice(renderer):
    motion = Motion(0, np.zeros(3, np.float32), BlendshapeFace(np.zeros(52, np.float32)))
    with pytest.raises(ConfigError, match="artalk"):
        renderer.step(motion)


def test_the_jaw_moves_the_mouths_landmarks_alone_with_its_weights(renderer, flame):
    """The stand-in FLAME hangs every vertex on every joint; the chin still moves with the jaw."""
    motion = motions(SEED, 1)[0]
    shut = renderer.step(with_jaw(motion, 0.0)).landmarks
    renderer.reset()
    wide = renderer.step(with_jaw(motion, 0.4)).landmarks
    assert np.abs(wide - shut).max() > 0.5


def test_turning_the_head_turns_the_landmarks(renderer):
    """To the person's left is to the right of an unmirrored picture."""
    face = FlameFace(np.zeros(100, np.float32), np.zeros(3, np.float32))
    depth = renderer._pose._head(torch.zeros(100), torch.zeros(5, 3))[:, 2]
    front = depth > depth.quantile(0.9)  # the mesh faces +z
    means = []
    for yaw in (-0.4, 0.4):
        renderer.step(Motion(0, np.array([0, yaw, 0], np.float32), face))
        points = renderer._pose._points[: len(front)][front]
        camera = viewpoint.turned(renderer._pose._transform, torch.tensor([0, yaw, 0]))
        means.append(viewpoint.project(points, camera, SIZE)[:, 0].mean())
    assert means[1] > means[0] + 2
    assert FLAME_SCALE == 5.0


def test_the_background_shows_where_the_person_does_not(make):
    behind = torch.tensor([0.0, 1.0, 0.0])[:, None, None].expand(3, SIZE, SIZE)
    black, green = make(), make(behind=behind)
    row = flame_row(motions(SEED, 1)[0])
    plain, picture = black.draw(row), green.draw(row)
    assert torch.equal(plain.coverage, picture.coverage)
    assert 0 <= picture.coverage.min() < picture.coverage.max() <= 1
    through = (255 * (1 - picture.coverage)).round()
    gain = picture.pixels[..., 1].int() - plain.pixels[..., 1].int()
    free = plain.pixels[..., 1] + through < 254
    assert (gain - through)[free].abs().max() <= 1
    assert torch.equal(plain.pixels[..., 0], picture.pixels[..., 0])


def test_another_size_scales_picture_and_landmarks(make, renderer):
    frame = make(size=48).step(motions(SEED, 1)[0])
    usual = renderer.step(motions(SEED, 1)[0])
    assert frame.pixels.shape == (48, 48, 3)
    assert np.allclose(frame.landmarks + 0.5, 1.5 * (usual.landmarks + 0.5), atol=1e-3)


def test_an_identity_is_prepared_once_and_kept(net, tmp_path, identity):
    weights = tmp_path / "GAGAvatar.pt"
    weights.write_bytes(b"stands for a checkpoint")
    cache = cache_path(tmp_path, person(SEED), weights)
    assert cache != cache_path(tmp_path, person(SEED + 1), weights)
    made = prepared(net, person(SEED), cache, CPU)
    assert cache.is_file()
    loaded = prepared(None, person(SEED), cache, CPU)  # no network needed any more
    for ours in (made, loaded):
        assert torch.equal(ours.cloud.covariances, identity.cloud.covariances)
        assert ours.head_points == HEAD
    cache.write_bytes(cache.read_bytes()[:100])
    with pytest.raises(WeightsError):
        Identity.load(cache, CPU)


def test_a_profile_opens_from_files(net, tmp_path, monkeypatch):
    from vcam.render.gagavatar import renderer as gagavatar

    folder = save_profile(person(SEED), tmp_path / "somebody", "Somebody")
    torch.save({"model": net.state_dict()}, tmp_path / "GAGAvatar.pt")
    torch.save(flame_asset(SEED, HEAD), tmp_path / "FLAME_with_eye.pt")
    load = gagavatar.GagavatarNet.load
    monkeypatch.setattr(gagavatar.GagavatarNet, "load", lambda path: load(path, SMALL))
    renderer = GagavatarRenderer.open(
        folder, tmp_path / "GAGAvatar.pt", tmp_path / "FLAME_with_eye.pt", SIZE, "blur", CPU
    )
    assert renderer.step(motions(SEED, 1)[0]).pixels.mean() > 0
    assert len(list(folder.glob("gaussians-*.safetensors"))) == 1


def test_without_a_c_compiler_the_gpu_path_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(DeviceError, match="C compiler"):
        GagavatarRenderer.open(
            tmp_path, tmp_path / "a.pt", tmp_path / "b.pt", device=torch.device("cuda")
        )


def test_fresh_noise_is_a_choice(make):
    fresh = make(manner=Manner(noise="fresh"))
    row = flame_row(motions(SEED, 1)[0])
    first = fresh.draw(row).pixels.clone()
    fresh.reset()
    assert not torch.equal(fresh.draw(row).pixels, first)


class SpokenFlame:
    """A motion model at 25 fps: the stand-in motion, one for each frame of sound."""

    delay = 0

    def __init__(self) -> None:
        self._motions = motions(SEED, 200)
        self.reset()

    def step(self, sound: AudioChunk) -> list[Motion]:
        if self._at is None:
            self._at = -(-sound.start // 1920) * 1920
        out = []
        while self._at + 1920 <= sound.end:
            motion = self._motions[self._at // 1920 % 200]
            out.append(dataclasses.replace(motion, at=self._at))
            self._at += 1920
        return out

    def reset(self) -> None:
        self._at: int | None = None


def path_to(renderer) -> Pipeline:
    return Pipeline(ResampledMotion(SpokenFlame(), 30), renderer, Passthrough())


def test_every_frame_goes_through_link_and_camera(renderer):
    """25 fps motion, 30 fps frames, stepped by hand: no tick is missing."""
    engine, camera = Engine(path_to(renderer), 30, now=lambda: 0.0), MemoryCamera()
    link = LocalLink(engine)
    for chunk in chunks(tone(0.6), 1600):
        link.send(chunk)
        for finished in link.receive(-1, 0.0):
            camera.send(finished.frame)
    assert [frame.at for frame in camera.frames] == [1600 * step for step in range(17)]
    assert len({frame.pixels.tobytes() for frame in camera.frames}) == 17


def test_frames_go_through_the_live_rim(renderer):
    """In real time, on threads, as fast as this machine draws: late frames are dropped."""
    camera = MemoryCamera()
    session = Session(LocalLink(Engine(path_to(renderer), 30)), camera, 30)
    sound = PreparedSound("player", tone(4.0), session.hear, False, time.monotonic, time.sleep)
    session.run(sound, seconds=8)
    shown = {frame.at: frame for frame in camera.frames if frame.at >= 0}
    assert shown
    assert all(at % frame_ticks(30) == 0 for at in shown)
    assert all(frame.pixels.shape == (SIZE, SIZE, 3) for frame in shown.values())


def test_with_shoulders_the_room_stays_and_the_neck_holds_the_head(make, identity):
    rng = np.random.default_rng(SEED)
    alpha = np.zeros((256, 256), np.uint8)
    alpha[128:, 64:192] = 255
    torso = Torso(rng.integers(0, 256, (256, 256, 3), np.uint8), alpha)
    room = np.full((SIZE, SIZE, 3), (10, 200, 30), np.uint8)
    renderer = make(shoulders=Shoulders(torso, room))
    row = np.zeros(106, np.float32)
    at_rest = renderer.draw(row)
    bare = at_rest.coverage.numpy() == 0
    bare[SIZE // 2 :] = False
    if bare.any():
        assert (at_rest.pixels.numpy()[bare] == (10, 200, 30)).all()
    assert at_rest.pixels.shape == (SIZE, SIZE, 3)
    pivot = renderer._pose._pivot
    row[101] = 0.26  # 15 degrees
    photo, turned = (
        viewpoint.project(pivot[None], camera, SIZE)[0]
        for camera in (
            identity.transform,
            viewpoint.turned(identity.transform, torch.from_numpy(row[100:103]), pivot),
        )
    )
    assert torch.allclose(photo, turned, atol=1e-3)
    assert not np.array_equal(renderer.draw(row).pixels.numpy(), at_rest.pixels.numpy())


def test_without_shoulders_nothing_about_the_camera_changes(identity):
    head = torch.tensor([0.1, 0.2, -0.1])
    plain = viewpoint.turned(identity.transform, head)
    assert torch.equal(plain[:, 3], identity.transform[:, 3])
    assert torch.equal(plain[:, :3], viewpoint.camera_rotation(head))
