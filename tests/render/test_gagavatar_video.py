# ruff: noqa: E402 - imports follow the skip
"""The neural renderer over time and in front of things: forehead, frame rates, backgrounds."""

import dataclasses

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.fakes import chunks, tone
from tests.render.stand_ins import flame_model, motions, person, stand_in_net
from vcam.flame.model import JAW
from vcam.media import AudioChunk, Motion, frame_ticks
from vcam.motion.interpolate import ResampledMotion
from vcam.nets.gagavatar import GagavatarConfig
from vcam.nets.styleunet import StyleUnet
from vcam.render.gagavatar.background import background
from vcam.render.gagavatar.forehead import RATE, VERTICES, Forehead
from vcam.render.gagavatar.identity import prepared
from vcam.render.gagavatar.pose_limits import flame_row
from vcam.render.gagavatar.renderer import GagavatarRenderer

SEED = 7
HEAD = 800  # vertices, 38 of the forehead among them
SMALL = GagavatarConfig.small(HEAD)
CPU = torch.device("cpu")
SIZE = SMALL.renderer.size
BROW = [vertex for vertex in VERTICES if vertex < HEAD]


@pytest.fixture(scope="module")
def make():
    net, flame = stand_in_net(SMALL, SEED), flame_model(SEED, HEAD)
    people = {seed: prepared(net, person(seed), None, CPU) for seed in (SEED, SEED + 1)}

    def build(seed: int = SEED, behind: torch.Tensor | None = None) -> GagavatarRenderer:
        upsampler = StyleUnet(SMALL.renderer).eval()
        upsampler.load_state_dict(net.upsampler.state_dict())
        return GagavatarRenderer(people[seed], upsampler, flame, behind)

    return build


def moving(renderer, motion: Motion) -> tuple[torch.Tensor, torch.Tensor]:
    """The head's points as drawn for `motion`, and as FLAME alone would put them."""
    row = torch.from_numpy(flame_row(motion))
    renderer.step(motion)
    rotations = torch.zeros(5, 3)
    rotations[JAW] = row[103:]
    return renderer._pose._points[:HEAD].clone(), renderer._pose._head(row[:100], rotations)


def test_the_forehead_follows_slowly_and_nothing_else_does(make):
    first, second = motions(SEED, 2)
    renderer = make()
    drawn, plain = moving(renderer, first)
    assert torch.equal(drawn, plain)  # nothing to remember yet
    start = plain[BROW]
    drawn, plain = moving(renderer, second)
    expected = (1 - RATE) * start + RATE * plain[BROW]
    assert torch.allclose(drawn[BROW], expected, atol=1e-6)
    assert (drawn[BROW] - plain[BROW]).abs().max() > 1e-4
    others = torch.ones(HEAD, dtype=torch.bool)
    others[BROW] = False
    assert torch.equal(drawn[others], plain[others])


def test_a_new_identity_begins_with_its_own_forehead(make):
    """Upstream's state survives a change of person; here each has its own, and `reset` forgets."""
    first, second = motions(SEED, 2)
    one = make()
    moving(one, first)
    drawn, plain = moving(make(SEED + 1), second)
    assert torch.equal(drawn, plain)
    one.reset()
    drawn, plain = moving(one, second)
    assert torch.equal(drawn, plain)


def test_the_forehead_comes_to_rest_where_the_mesh_is():
    still = torch.randn(5023, 3, generator=torch.Generator().manual_seed(0))
    forehead = Forehead(CPU)
    forehead.smoothed(torch.zeros(5023, 3))
    for _ in range(600):
        smooth = forehead.smoothed(still.clone())
    assert torch.allclose(smooth, still, atol=1e-4)


class Spoken:
    """The stand-in motion at 25 fps, for sound that starts at tick 0."""

    delay = 0
    speaking = True

    def __init__(self) -> None:
        self._motions = motions(SEED, 20)
        self.reset()

    def step(self, sound: AudioChunk) -> list[Motion]:
        done, self._given = self._motions[self._given : sound.end // 1920], sound.end // 1920
        return done

    def reset(self) -> None:
        self._given = 0


@pytest.mark.parametrize("fps", [25, 30, 50, 60])
def test_motion_at_25_fps_renders_at_other_rates(make, fps):
    renderer, motion = make(), ResampledMotion(Spoken(), fps)
    poses = [pose for chunk in chunks(tone(0.4), 1600) for pose in motion.step(chunk)]
    frames = [renderer.step(pose) for pose in poses]
    assert [frame.at for frame in frames] == [frame_ticks(fps) * i for i in range(len(frames))]
    assert len(frames) == 9 * 1920 // frame_ticks(fps) + 1
    assert len({frame.pixels.tobytes() for frame in frames}) == len(frames)
    # Between two poses the face goes there evenly: no step is longer than its share of the way.
    steps, given = (lengths(make(), some) for some in (poses, motions(SEED, 10)))
    assert 0 < steps.min() < steps.max() < 1.01 * given.max() * 25 / fps


def lengths(renderer, poses) -> torch.Tensor:
    """How far the mesh moves from pose to pose, on average, the forehead aside."""
    drawn = torch.stack([moving(renderer, pose)[1] for pose in poses])
    return drawn.diff(dim=0).norm(dim=2).mean(1)


@pytest.mark.parametrize("fps", [25, 30, 50, 60])
def test_the_forehead_is_as_slow_at_every_frame_rate(make, fps):
    """A mesh that has moved once: after 0.4 s the forehead is as far behind as at 25 fps."""
    first, second = motions(SEED, 2)
    renderer = make()
    start, _ = moving(renderer, first)
    for index in range(1, 2 * fps // 5 + 1):
        drawn, plain = moving(renderer, dataclasses.replace(second, at=index * frame_ticks(fps)))
    expected = start + (1 - (1 - RATE) ** 10) * (plain - start)
    assert torch.allclose(drawn[BROW], expected[BROW], atol=1e-5)


def test_a_jump_back_in_time_does_not_shake_the_forehead(make):
    first, second = motions(SEED, 2)
    renderer = make()
    start, _ = moving(renderer, dataclasses.replace(first, at=96_000))
    drawn, plain = moving(renderer, second)
    assert torch.allclose(drawn[BROW], start[BROW].lerp(plain[BROW], RATE), atol=1e-6)


def picture_file(folder) -> str:
    image = np.zeros((48, 96, 3), np.uint8)
    image[:, 24:48], image[:, 48:72] = (255, 0, 0), (0, 0, 255)  # blue and red, in OpenCV's order
    cv2.imwrite(str(folder / "behind.png"), image)
    return str(folder / "behind.png")


@pytest.mark.parametrize("wanted", ["black", "#20c040", "blur", "picture"])
def test_every_background_shows_behind_the_head_and_only_there(make, tmp_path, wanted):
    path = picture_file(tmp_path) if wanted == "picture" else wanted
    behind = background(path, SIZE, person(SEED).image)
    row = flame_row(motions(SEED, 2)[1])  # one that leaves a corner free
    plain, drawn = make().draw(row), make(behind=behind).draw(row)
    free = plain.coverage == 0
    assert 0 < free.float().mean() < 1
    assert torch.equal(drawn.coverage, plain.coverage)
    shares = (1 - plain.coverage)[..., None] * behind.permute(1, 2, 0)
    expected = (plain.pixels + 255 * shares).clamp(max=255)
    assert (drawn.pixels - expected).abs().max() <= 1
    if wanted == "picture":
        assert behind[:, SIZE // 2, 2].tolist() == pytest.approx([0, 0, 1], abs=0.02)
        assert behind[:, SIZE // 2, -3].tolist() == pytest.approx([1, 0, 0], abs=0.02)


def test_the_callers_motion_stays_as_it_was(make):
    """Upstream flips two signs in place."""
    row = flame_row(motions(SEED, 1)[0])
    kept = row.copy()
    make().draw(row)
    assert np.array_equal(row, kept)
